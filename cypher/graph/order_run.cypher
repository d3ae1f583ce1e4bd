// Puts a run behind all that scored or chose before, so that it decides.
//
// $id     its key
// $order  its number
MATCH (n:Run {id: $id})
SET n.order = $order
