// Takes a run's verdicts from some of the judgements; the last one that is left holds, and a judgement without any goes.
//
// $run    id of the run
// $last   key after which they begin
// $limit  how many
// -> id, head, tail
MATCH (j:Judgement)
WHERE j.id > $last
  AND $run IN j.runs
WITH j
ORDER BY j.id
LIMIT $limit
MATCH (j)-[:HEAD]->(head)
MATCH (j)-[:TAIL]->(tail)
WITH j, j.id AS id, head.id AS head, tail.id AS tail, [i IN range(0, size(j.runs) - 1) WHERE j.runs[i] <> $run] AS kept,
  coalesce(j.values, [_ IN j.runs | j.value]) AS verdicts
SET j.values = [i IN kept | verdicts[i]], j.runs = [i IN kept | j.runs[i]]
SET j.value = coalesce(last(j.values), j.value)
FOREACH (_ IN CASE WHEN size(kept) = 0 THEN [1] ELSE [] END | DETACH DELETE j)
RETURN id, head, tail
