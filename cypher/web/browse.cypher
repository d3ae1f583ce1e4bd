// The edges of some events that pass filters, in the order of heads' keys, relations and tails' keys.
//
// $heads      keys of the events
// $head       key of the event after whose edge the page begins; empty to begin with the first
// $after      relation of that edge
// $tail       key of the tail of that edge
// $count      most edges returned
// $ids        keys of phrases, of which each edge must have one, or null for all
// $relation   a relation, or null for all
// $run        a run that asserted the edge, or null for all
// $accepted   true, false, or null for all
// $predicted  true, false, or null for all
// $low        smallest score, or null for all edges, scored or not
// $high       largest score, or null
// $judged     true, false, or null for all
// -> head_id, head, split, relation, tail_id, tail, score, critic, accepted, predicted, runs, judged
MATCH (head:Event)
WHERE head.id IN $heads
MATCH (head)-[r]->(tail:Phrase|Nothing)
WHERE ($relation IS NULL OR type(r) = $relation)
  AND ($run IS NULL OR $run IN r.runs)
  AND ($accepted IS NULL OR r.accepted = $accepted)
  AND ($predicted IS NULL OR r.predicted = $predicted)
  AND ($low IS NULL OR r.score >= $low)
  AND ($high IS NULL OR r.score <= $high)
  AND ($ids IS NULL OR head.id IN $ids OR tail.id IN $ids)
  AND ($judged IS NULL OR $judged = EXISTS {
    MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
    WHERE j.relation = type(r)
  })
  AND (head.id <> $head OR type(r) > $after OR (type(r) = $after AND tail.id > $tail))
WITH head, r, tail, head.id AS head_id, type(r) AS relation, tail.id AS tail_id
ORDER BY head_id, relation, tail_id
LIMIT $count
RETURN head_id, head.text AS head, head.split AS split, relation, tail_id, coalesce(tail.text, tail.id) AS tail,
  r.score AS score, r.critic AS critic, r.accepted AS accepted, r.predicted AS predicted, r.runs AS runs,
  COLLECT {
    MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
    WHERE j.relation = relation
    RETURN j.value
  } AS judged
