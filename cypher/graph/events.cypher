// Events of a split, in the order of their keys.
//
// $split  train, validation, test, or null for all
// -> text, lang, split, uri
MATCH (head:Event)
WHERE $split IS NULL OR head.split = $split
RETURN head.text AS text, head.lang AS lang, head.split AS split, coalesce(head.uri, "") AS uri
ORDER BY head.id
