// Splits of some events.
//
// $ids  keys of phrases
// -> id, split
UNWIND $ids AS id
MATCH (head:Event {id: id})
RETURN id, head.split AS split
