// Edges that say "no effect", to the one node that stands for nothing; `known` is as in `graph/add_edges`.
//
// $rows       one map a triple: head, tail, and what the run states of it (`kg.model.STATED`)
// $run        id of the run
// $predicted  whether the run is a student's
// -> written, known
MERGE (nothing:Nothing {id: "none"})
WITH nothing
UNWIND range(0, size($rows) - 1) AS place
WITH nothing, place, $rows[place] AS row
MATCH (head:Phrase {id: row.head})
MERGE (head)-[r:RELATION]->(nothing)
ON CREATE SET r.runs = [$run], r.predicted = $predicted, r += row {.*, head: null, tail: null}
ON MATCH SET
  r.runs = CASE WHEN $run IN r.runs THEN r.runs ELSE r.runs + $run END,
  r.predicted = r.predicted AND $predicted
WITH place, r, size(keys(row)) > 2 AND (
  size(r.runs) > 1
  OR any(name IN keys(row) WHERE NOT name IN ["head", "tail"] AND coalesce(r[name] <> row[name], true))
) AS says
RETURN count(*) AS written, collect(CASE WHEN says THEN [place, elementId(r), properties(r)] END) AS known
