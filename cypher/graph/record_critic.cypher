// A critic, which becomes the current one.
//
// $id          its key
// $properties  run, kind, encoder, metrics
// $at          now
MERGE (n:Critic {id: $id})
ON CREATE SET n.at = $at
SET n += $properties
WITH n
OPTIONAL MATCH (other:Critic {current: true})
WHERE other.id <> n.id
SET other.current = false, n.current = true
