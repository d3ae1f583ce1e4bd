// Scores of one critic. The keys guard against element ids that were reused meanwhile.
//
// $rows    one map an edge: edge, head, tail, score, accepted
// $critic  id of the critic
// -> written
UNWIND $rows AS row
MATCH (head)-[r]->(tail)
WHERE elementId(r) = row.edge
  AND head.id = row.head
  AND tail.id = row.tail
SET r.score = row.score, r.critic = $critic, r.accepted = row.accepted
RETURN count(*) AS written
