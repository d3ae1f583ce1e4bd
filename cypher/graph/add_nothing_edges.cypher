// Edges that say "no effect", to the one node that stands for nothing; `said` is as in `graph/add_edges`.
//
// $rows       one map a triple: head, tail, logprob, weight, sources, details, published
// $run        id of the run
// $predicted  whether the run is a student's
// -> written, said
MERGE (nothing:Nothing {id: "none"})
WITH nothing
UNWIND range(0, size($rows) - 1) AS place
WITH nothing, place, $rows[place] AS row
MATCH (head:Phrase {id: row.head})
MERGE (head)-[r:RELATION]->(nothing)
ON CREATE SET r.runs = [$run], r.predicted = $predicted, r.logprob = row.logprob, r.weight = row.weight,
  r.sources = row.sources, r.details = row.details, r.published = row.published
ON MATCH SET
  r.runs = CASE WHEN $run IN r.runs THEN r.runs ELSE r.runs + $run END,
  r.predicted = r.predicted AND $predicted
WITH place, r, size(keys(row)) > 2 AND (
  size(r.runs) > 1
  OR (row.logprob IS NOT NULL AND coalesce(r.logprob <> row.logprob, true))
  OR (row.weight IS NOT NULL AND coalesce(r.weight <> row.weight, true))
  OR (row.sources IS NOT NULL AND coalesce(r.sources <> row.sources, true))
  OR (row.details IS NOT NULL AND coalesce(r.details <> row.details, true))
  OR (row.published IS NOT NULL AND coalesce(r.published <> row.published, true))
) AS says
RETURN count(*) AS written, collect(CASE WHEN says THEN [place, elementId(r), properties(r)] END) AS said
