// Edges that would change sides under other thresholds, at most one of each event, in the order of events' keys.
//
// $critic      id of the critic whose score they show
// $thresholds  smallest accepted score, in [0, 1], by relation
// $own         the same of teachers that have thresholds of their own, by the id of their run
// $students    ids of the runs whose assertions are predictions, where there are any such thresholds
// $count       most edges returned
// -> head_id, head, relation, tail_id, tail, score, accepted, threshold, judged
MATCH (head:Event)
WHERE head.id > ""
WITH head
ORDER BY head.id
CALL (head) {
  MATCH (head)-[r]->(tail:Phrase)
  WHERE r.critic = $critic
  WITH r, tail, [run IN r.runs WHERE NOT run IN $students | coalesce($own[run], $thresholds)[type(r)]] AS wrote
  WITH r, tail, CASE WHEN size(wrote) > 0 THEN wrote ELSE [$thresholds[type(r)]] END AS own
  WITH r, tail, reduce(lowest = own[0], one IN own | CASE WHEN one < lowest THEN one ELSE lowest END) AS threshold
  WHERE (r.score >= threshold) <> coalesce(r.accepted, false)
  RETURN r, tail, threshold
  ORDER BY tail.id
  LIMIT 1
}
WITH head, r, tail, threshold
LIMIT $count
RETURN head.id AS head_id, head.text AS head, type(r) AS relation, tail.id AS tail_id, tail.text AS tail,
  r.score AS score, r.accepted AS accepted, threshold,
  COLLECT {
    MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
    WHERE j.relation = type(r)
    RETURN j.value
  } AS judged
