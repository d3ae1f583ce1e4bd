// Keys of events from a key on, in their order.
//
// $head   smallest key returned
// $split  train, validation, test, or null for all
// $count  most keys returned
// -> id
MATCH (head:Event)
WHERE head.id >= $head
  AND ($split IS NULL OR head.split = $split)
WITH head.id AS id
ORDER BY id
LIMIT $count
RETURN id
