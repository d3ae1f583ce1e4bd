// A critic, which becomes the current one.
//
// $id          its key
// $properties  run, kind, encoder, metrics
// $order       its number
// $at          now
MERGE (n:Critic {id: $id})
ON CREATE SET n.at = $at
SET n += $properties, n.order = $order
