// What critics, acceptances and students are, in the order of their numbers.
//
// -> label, properties
MATCH (n:Critic|Acceptance|Student)
RETURN labels(n)[0] AS label, properties(n) AS properties
ORDER BY label, n.order, n.id
