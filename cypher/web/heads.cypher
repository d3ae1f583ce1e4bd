// Keys of events from a key on, in their order.
//
// $head    smallest key returned
// $split   train, validation, test, or null for all
// $judged  true for events that some judgement is about, false or null for all
// $count   most keys returned
// -> id
MATCH (head:Event)
WHERE head.id >= $head
  AND ($split IS NULL OR head.split = $split)
  AND (NOT coalesce($judged, false) OR COUNT { (head)<-[:HEAD]-() } > 0)
WITH head.id AS id
ORDER BY id
LIMIT $count
RETURN id
