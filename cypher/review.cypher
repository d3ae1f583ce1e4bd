// Predicted edges that nobody has judged yet, the ones nearest to their acceptance first.
//
// -> head, relation, tail, score, accepted
MATCH (head:Event)-[r]->(tail:Phrase)
WHERE r.predicted
  AND r.score IS NOT NULL
  AND NOT EXISTS {
    MATCH (j:Judgement)-[:HEAD]->(head), (j)-[:TAIL]->(tail)
    WHERE j.relation = type(r)
  }
WITH type(r) AS relation, collect({head: head.text, tail: tail.text, score: r.score, accepted: r.accepted}) AS found,
  min(CASE WHEN r.accepted THEN r.score END) AS lowest
UNWIND found AS edge
RETURN edge.head AS head, relation, edge.tail AS tail, round(edge.score, 3) AS score, edge.accepted AS accepted
ORDER BY abs(edge.score - coalesce(lowest, 1.0)), head, relation, tail
