// Takes the verdict of a run from a judgement; the last one that is left holds, and a judgement without any goes.
//
// $judgement  key of the judgement
// $run        id of the run
// -> gone
MATCH (j:Judgement {id: $judgement})
WHERE $run IN j.runs
WITH j, [i IN range(0, size(j.runs) - 1) WHERE j.runs[i] <> $run] AS kept,
  coalesce(j.values, [_ IN j.runs | j.value]) AS verdicts
SET j.values = [i IN kept | verdicts[i]], j.runs = [i IN kept | j.runs[i]]
SET j.value = coalesce(last(j.values), j.value)
FOREACH (_ IN CASE WHEN size(kept) = 0 THEN [1] ELSE [] END | DETACH DELETE j)
RETURN sum(CASE WHEN size(kept) = 0 THEN 1 ELSE 0 END) AS gone
