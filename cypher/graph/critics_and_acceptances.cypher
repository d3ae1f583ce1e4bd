// What critics and acceptances are, the critics first.
//
// -> label, properties
MATCH (n:Critic|Acceptance)
RETURN CASE WHEN n:Critic THEN "Critic" ELSE "Acceptance" END AS label, properties(n) AS properties
ORDER BY label DESC, n.id
