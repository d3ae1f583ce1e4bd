// Keys of the events of edges that have one of some phrases at an end, from a key on, in their order.
//
// $ids    keys of the phrases
// $head   smallest key returned
// $split  train, validation, test, or null for all
// $count  most keys returned
// -> id
UNWIND $ids AS key
MATCH (p:Phrase {id: key})
CALL (p) {
  WITH p
  WHERE p:Event
  RETURN p AS head
  UNION ALL
  MATCH (p)<--(head:Event)
  RETURN head
}
WITH DISTINCT head
WHERE head.id >= $head
  AND ($split IS NULL OR head.split = $split)
WITH head.id AS id
ORDER BY id
LIMIT $count
RETURN id
