// A student, which becomes the current one.
//
// $id          its key
// $properties  run, kind, triples
// $order       its number
// $at          now
MERGE (n:Student {id: $id})
ON CREATE SET n.at = $at
SET n += $properties, n.order = $order
