// Keys of the events that some judgement is about, from a key on, in their order.
//
// $head   smallest key returned
// $split  train, validation, test, or null for all
// $count  most keys returned
// -> id
MATCH (:Judgement)-[:HEAD]->(head:Event)
WHERE head.id >= $head
  AND ($split IS NULL OR head.split = $split)
WITH DISTINCT head
WITH head.id AS id
ORDER BY id
LIMIT $count
RETURN id
