// Tasks as they are kept, in the order of their keys.
//
// $batch  id of the run that drew them, or null for all
// -> id, head, relation, tail, run, place, wanted, probability, control, judged, skipped, log
MATCH (t:Task)-[:HEAD]->(head)
MATCH (t)-[:TAIL]->(tail)
WHERE $batch IS NULL OR t.run = $batch
RETURN t.id AS id, head.id AS head, t.relation AS relation, tail.id AS tail, t.run AS run, t.place AS place,
  t.wanted AS wanted, t.probability AS probability, t.control AS control, t.judged AS judged, t.skipped AS skipped,
  t.log AS log
ORDER BY id
