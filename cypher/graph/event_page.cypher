// Last key of the next page of events.
//
// $last    key after which the page begins
// $events  events in a page
// -> until
MATCH (head:Event)
WHERE head.id > $last
WITH head.id AS id
ORDER BY id
LIMIT $events
RETURN max(id) AS until
