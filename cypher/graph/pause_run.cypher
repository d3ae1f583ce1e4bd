// A run that ended before all was done; doing it again goes on.
//
// $id          its key
// $properties  numbers to keep on it
MATCH (n:Run {id: $id})
SET n += $properties, n.status = "incomplete"
REMOVE n.host, n.pid, n.process_started
