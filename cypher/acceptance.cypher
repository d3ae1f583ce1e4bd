// How much of each relation is accepted, taught and predicted.
//
// -> relation, taught, taught_accepted, predicted, predicted_accepted, mean_score
MATCH (:Event)-[r]->(:Phrase)
WHERE r.score IS NOT NULL
WITH type(r) AS relation, r.predicted AS predicted, r.accepted AS accepted, r.score AS score
RETURN relation, count(CASE WHEN NOT predicted THEN 1 END) AS taught,
  count(CASE WHEN NOT predicted AND accepted THEN 1 END) AS taught_accepted,
  count(CASE WHEN predicted THEN 1 END) AS predicted,
  count(CASE WHEN predicted AND accepted THEN 1 END) AS predicted_accepted, round(avg(score), 3) AS mean_score
ORDER BY relation
