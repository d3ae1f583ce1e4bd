// Counts of edges by relation, the most frequent first.
//
// -> relation, edges, scored, accepted, predicted, nothing
MATCH (:Event)-[r]->(tail:Phrase|Nothing)
RETURN type(r) AS relation, count(*) AS edges, count(r.score) AS scored,
  count(CASE WHEN r.accepted THEN 1 END) AS accepted, count(CASE WHEN r.predicted THEN 1 END) AS predicted,
  count(CASE WHEN tail:Nothing THEN 1 END) AS nothing
ORDER BY edges DESC, relation
