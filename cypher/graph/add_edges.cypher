// Edges of one relation, as one run asserts them.
//
// `known` lists the edges that were there, of which this run says something that is not kept yet, or which have a score and
// the word of one teacher more: the number of the row, the element id, and the properties, with the run among `runs`.
//
// $rows       one map a triple: head, tail, and what the run states of it (`kg.model.STATED`)
// $run        id of the run
// $predicted  whether the run is a student's
// -> written, known
UNWIND range(0, size($rows) - 1) AS place
WITH place, $rows[place] AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (head)-[r:RELATION]->(tail)
ON CREATE SET r.runs = [$run], r.predicted = $predicted, r += row {.*, head: null, tail: null}
ON MATCH SET
  r.runs = CASE WHEN $run IN r.runs THEN r.runs ELSE r.runs + $run END,
  r.predicted = r.predicted AND $predicted
WITH place, r, size(keys(row)) > 2 AND (
  size(r.runs) > 1
  OR any(name IN keys(row) WHERE NOT name IN ["head", "tail"] AND coalesce(r[name] <> row[name], true))
) OR size(r.runs) > 1 AND r.critic IS NOT NULL AND NOT $predicted AS says
RETURN count(*) AS written, collect(CASE WHEN says THEN [place, elementId(r), properties(r)] END) AS known
