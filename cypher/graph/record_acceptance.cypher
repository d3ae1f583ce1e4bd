// Thresholds of a critic, which become its current ones.
//
// $id          its key
// $properties  critic, recall, thresholds, relations, cutoffs
// $order       its number
// $at          now
MERGE (n:Acceptance {id: $id})
ON CREATE SET n.at = $at
SET n += $properties, n.order = $order
