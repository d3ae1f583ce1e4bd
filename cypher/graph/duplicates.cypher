// Duplicates that were set aside, in the order of their keys: all, or those with some keys, or of some runs.
//
// $ids    keys, or null for all
// $taken  id of the run that took them, or null for all
// $run    id of a run that asserted them, or null for all
// -> head, tail, properties
MATCH (head)<-[:HEAD]-(d:Duplicate)-[:TAIL]->(tail)
WHERE ($ids IS NULL OR d.id IN $ids)
  AND ($taken IS NULL OR d.run = $taken)
  AND ($run IS NULL OR $run IN d.runs)
RETURN head.id AS head, tail.id AS tail, properties(d) AS properties
ORDER BY d.id
