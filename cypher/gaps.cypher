// Events without any tail of a relation.
//
// $relation  the relation (default "xWant")
// $accepted  whether only accepted edges count (default false)
// -> event, split, edges
MATCH (head:Event)
WHERE NOT EXISTS {
  MATCH (head)-[r]->(:Phrase|Nothing)
  WHERE type(r) = $relation
    AND (NOT $accepted OR coalesce(r.accepted, false))
}
RETURN head.text AS event, head.split AS split, COUNT { (head)-->(:Phrase|Nothing) } AS edges
ORDER BY edges DESC, event
