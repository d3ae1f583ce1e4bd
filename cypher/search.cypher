// Events that contain a text.
//
// $text  what to look for
// -> event, split, edges
MATCH (head:Event)
WHERE head.text CONTAINS $text
RETURN head.text AS event, head.split AS split, COUNT { (head)-->(:Phrase|Nothing) } AS edges
ORDER BY event
