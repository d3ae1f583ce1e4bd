// Edges by relation and by the model that asserted them.
//
// -> relation, model, dataset, edges, accepted, mean_score
MATCH (:Event)-[r]->(:Phrase|Nothing)
UNWIND r.runs AS id
MATCH (run:Run {id: id})
RETURN type(r) AS relation, run.model AS model, run.dataset AS dataset, count(*) AS edges,
  count(CASE WHEN r.accepted THEN 1 END) AS accepted, round(avg(r.score), 3) AS mean_score
ORDER BY relation, edges DESC, model
