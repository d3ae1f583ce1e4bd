// Phrases of a page, in the order of their keys.
//
// $last     key after which the page begins
// $phrases  phrases in a page
// -> id, text, lang, split, event, inference
MATCH (p:Phrase)
WHERE p.id > $last
RETURN p.id AS id, p.text AS text, p.lang AS lang, p.split AS split, p:Event AS event, p:Inference AS inference
ORDER BY p.id
LIMIT $phrases
