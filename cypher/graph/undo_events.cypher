// Takes a run's evidence from the events that it wrote by themselves.
//
// $run  id of the run
// -> head, tail
MATCH (p:Event)
WHERE $run IN p.runs
WITH p, p.runs[0] = $run AS first, [run IN p.runs WHERE run <> $run] AS kept
FOREACH (_ IN CASE WHEN first THEN [1] ELSE [] END | REMOVE p.logprob)
SET p.runs = CASE WHEN size(kept) > 0 THEN kept END
RETURN p.id AS head, p.id AS tail
