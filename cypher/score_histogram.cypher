// How many edges have a score in each tenth, taught and predicted.
//
// $relation  a relation, or null for all (default null)
// -> from, to, taught, predicted, accepted
MATCH (:Event)-[r]->(:Phrase)
WHERE r.score IS NOT NULL
  AND ($relation IS NULL OR type(r) = $relation)
WITH CASE WHEN r.score >= 1 THEN 9 ELSE toInteger(r.score * 10) END AS tenth, r
RETURN tenth / 10.0 AS from, (tenth + 1) / 10.0 AS to, count(CASE WHEN NOT r.predicted THEN 1 END) AS taught,
  count(CASE WHEN r.predicted THEN 1 END) AS predicted, count(CASE WHEN r.accepted THEN 1 END) AS accepted
ORDER BY from
