// Scores of one critic, on edges whose scores are still those that were read. The keys guard against element ids that were
// reused meanwhile.
//
// $rows    one list an edge: element id, keys of head and tail, score, accepted, other scores; critic, score, scores as read
// $critic  id of the critic
// -> written, changed
UNWIND $rows AS row
MATCH (head)-[r]->(tail)
WHERE elementId(r) = row[0]
  AND head.id = row[1]
  AND tail.id = row[2]
WITH r, row, coalesce(r.critic, "") = row[6] AND coalesce(r.score, -1.0) = row[7] AND coalesce(r.scores, []) = row[8] AS same
FOREACH (_ IN CASE WHEN same THEN [1] ELSE [] END | SET r.score = row[3], r.critic = $critic, r.accepted = row[4], r.scores = row[5])
RETURN count(*) AS written, collect(CASE WHEN same THEN null ELSE row[0] END) AS changed
