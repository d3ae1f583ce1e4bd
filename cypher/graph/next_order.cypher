// The number of the next thing that becomes current.
//
// -> number
OPTIONAL MATCH (n:Run|Critic|Acceptance|Student)
RETURN coalesce(max(n.order), 0) + 1 AS number
