// The scores of edges, and the runs that asserted them.
//
// $rows  one list an edge, which begins with its element id and the keys of head and tail
// -> element, score, critic, scores, runs
UNWIND $rows AS row
MATCH (head)-[r]->(tail)
WHERE elementId(r) = row[0]
  AND head.id = row[1]
  AND tail.id = row[2]
RETURN row[0] AS element, r.score AS score, r.critic AS critic, r.scores AS scores, r.runs AS runs
