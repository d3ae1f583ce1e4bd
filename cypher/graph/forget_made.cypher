// Deletes the critic, the thresholds or the student that a run made.
//
// $run  id of the run
MATCH (n:Critic|Acceptance|Student {run: $run})
DELETE n
