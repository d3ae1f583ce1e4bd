// Predicted edges that nobody has judged yet, those whose score is nearest to their relation's threshold first.
//
// $count  how many
// -> id, head, relation, tail, score, threshold, accepted
OPTIONAL MATCH (current:Acceptance {current: true})
WITH head(collect(current)) AS current
MATCH (head:Event)-[r]->(tail:Phrase)
WHERE r.predicted
  AND r.score IS NOT NULL
WITH head, r, tail, head([
  place IN range(0, size(current.relations) - 1) WHERE current.relations[place] = type(r) | current.cutoffs[place]
]) AS threshold
WHERE NOT EXISTS {
  MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
  WHERE j.relation = type(r)
}
RETURN head.id AS id, head.text AS head, type(r) AS relation, tail.text AS tail, r.score AS score, threshold,
  r.accepted AS accepted
ORDER BY abs(r.score - coalesce(threshold, 0.5)), head, relation, tail
LIMIT $count
