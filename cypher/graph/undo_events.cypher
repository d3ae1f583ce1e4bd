// Some of the events that a run wrote by themselves, with what is kept of them. Those that it alone wrote lose the evidence.
//
// $run    id of the run
// $last   key after which they begin
// $limit  how many
// -> id, kept
MATCH (p:Event)
WHERE p.id > $last
  AND $run IN p.runs
WITH p
ORDER BY p.id
LIMIT $limit
WITH p, p.id AS id, CASE WHEN size(p.runs) > 1 THEN properties(p) END AS kept
FOREACH (_ IN CASE WHEN kept IS NULL THEN [1] ELSE [] END | REMOVE p.runs, p.logprob, p.statements)
RETURN id, kept
