// Thresholds of a critic, which become the current ones.
//
// $id          its key
// $properties  critic, recall, thresholds, relations, cutoffs
// $at          now
MERGE (n:Acceptance {id: $id})
ON CREATE SET n.at = $at
SET n += $properties
WITH n
OPTIONAL MATCH (other:Acceptance {current: true})
WHERE other.id <> n.id
SET other.current = false, n.current = true
