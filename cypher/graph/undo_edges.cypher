// Edges of a page of events that a run asserted. Those that it alone asserted are deleted; of the others `kept` is the
// element id, the properties and the relation.
//
// $last   key after which the page begins
// $until  last key of the page
// $run    id of the run
// -> head, tail, kept
MATCH (head:Event)
WHERE head.id > $last
  AND head.id <= $until
MATCH (head)-[r]->(tail:Phrase|Nothing)
WHERE $run IN r.runs
WITH r, head.id AS head_id, tail.id AS tail_id, CASE WHEN size(r.runs) > 1 THEN [elementId(r), properties(r), type(r)] END
  AS kept
FOREACH (_ IN CASE WHEN kept IS NULL THEN [1] ELSE [] END | DELETE r)
RETURN head_id AS head, tail_id AS tail, kept
