// A run that is done.
//
// $id          its key
// $properties  numbers to keep on it
// $at          now
MATCH (n:Run {id: $id})
SET n += $properties
SET n.finished = CASE WHEN n.status = "finished" THEN n.finished ELSE $at END, n.status = "finished"
REMOVE n.host, n.pid, n.process_started
