// A run that was undone stays in the list, for those who audit.
//
// $id  its key
// $at  now
MATCH (n:Run {id: $id})
SET n.status = "undone", n.undone = $at, n.added = 0
REMOVE n.order, n.reason, n.host, n.pid, n.process_started
