// How far a run has come that goes through all edges: the key of the last event, and what it does there. Nulls forget it.
//
// $run      its key
// $reached  the key of an event, or null
// $doing    a text, or null
MATCH (n:Run {id: $run})
SET n.reached = $reached, n.doing = $doing
