// A run that ended before all was done: interrupted, or failed. What it wrote stays, and doing it again goes on.
//
// $id      its key
// $status  interrupted or failed
// $reason  why, in a line
// $at      now
MATCH (n:Run {id: $id})
WHERE n.status = "running"
SET n.status = $status, n.reason = $reason, n.ended = $at
REMOVE n.host, n.pid, n.process_started
