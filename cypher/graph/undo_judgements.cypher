// Takes a run's evidence from the judgements, and deletes those that are left without any.
//
// $run  id of the run
// -> head, tail
MATCH (j:Judgement)
WHERE $run IN j.runs
MATCH (j)-[:HEAD]->(head)
MATCH (j)-[:TAIL]->(tail)
WITH j, head.id AS head, tail.id AS tail, [run IN j.runs WHERE run <> $run] AS kept
SET j.runs = kept
FOREACH (_ IN CASE WHEN size(kept) = 0 THEN [1] ELSE [] END | DETACH DELETE j)
RETURN head, tail
