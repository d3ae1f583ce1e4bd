// Scores of one critic. The keys guard against element ids that were reused meanwhile.
//
// $rows    one list an edge: its element id, the keys of head and tail, score, accepted, what other critics gave
// $critic  id of the critic
// -> written
UNWIND $rows AS row
MATCH (head)-[r]->(tail)
WHERE elementId(r) = row[0]
  AND head.id = row[1]
  AND tail.id = row[2]
SET r.score = row[3], r.critic = $critic, r.accepted = row[4], r.scores = row[5]
RETURN count(*) AS written
