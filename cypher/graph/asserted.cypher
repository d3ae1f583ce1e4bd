// What a run has asserted of some events already. Events with very many edges are left out, and asserted again.
//
// $ids  keys of the events
// $run  id of the run
// -> rows
// `rows` is a list of lists: head, relation, tail, statements, whether the run was the first one, sources, and the names
// of the properties that are known.
UNWIND $ids AS id
MATCH (head:Phrase {id: id})
WHERE COUNT { (head)-->() } <= 1000
MATCH (head)-[r]->(tail:Phrase|Nothing)
WHERE $run IN r.runs
RETURN collect([
  id, type(r), tail.id, r.statements, r.runs[0] = $run, coalesce(r.sources, []), keys(r)
]) AS rows
