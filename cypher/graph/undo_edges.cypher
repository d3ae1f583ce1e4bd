// Takes a run's evidence from the edges of a page of events. What the run said as the first one goes with it.
//
// $last      key after which the page begins
// $until     last key of the page
// $run       id of the run
// $students  ids of the runs that are students' predictions
// $dataset   the run's data set, whose published scores go with it
// -> head, tail
MATCH (head:Event)
WHERE head.id > $last
  AND head.id <= $until
MATCH (head)-[r]->(tail:Phrase|Nothing)
WHERE $run IN r.runs
WITH head, r, tail, head.id AS head_id, tail.id AS tail_id, r.runs[0] = $run AS first,
  [run IN r.runs WHERE run <> $run] AS kept
FOREACH (_ IN CASE WHEN first AND size(kept) > 0 THEN [1] ELSE [] END | REMOVE r.logprob, r.weight, r.sources, r.details)
FOREACH (_ IN CASE WHEN first AND size(kept) > 0 AND r.critic = $dataset THEN [1] ELSE [] END |
  REMOVE r.score, r.critic, r.accepted
)
FOREACH (_ IN CASE WHEN size(kept) > 0 THEN [1] ELSE [] END |
  SET r.runs = kept, r.predicted = all(run IN kept WHERE run IN $students)
)
FOREACH (_ IN CASE WHEN size(kept) = 0 THEN [1] ELSE [] END | DELETE r)
RETURN head_id AS head, tail_id AS tail
