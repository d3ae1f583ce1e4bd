// Predicted edges that nobody has judged yet, those whose score is nearest to their relation's threshold first.
//
// $split  whose events, or null for all (default "test")
// -> head, relation, tail, score, threshold, accepted
OPTIONAL MATCH (current:Acceptance {current: true})
WITH head(collect(current)) AS current
MATCH (head:Event)-[r]->(tail:Phrase)
WHERE r.predicted
  AND r.score IS NOT NULL
  AND ($split IS NULL OR head.split = $split)
  AND NOT EXISTS {
    MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
    WHERE j.relation = type(r)
  }
WITH head, r, tail, head([
  place IN range(0, size(current.relations) - 1) WHERE current.relations[place] = type(r) | current.cutoffs[place]
]) AS threshold
RETURN head.text AS head, type(r) AS relation, tail.text AS tail, round(r.score, 3) AS score,
  round(threshold, 3) AS threshold, r.accepted AS accepted
ORDER BY abs(r.score - coalesce(threshold, 0.5)), head, relation, tail
