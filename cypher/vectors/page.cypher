// A page of the phrases that have a vector, in the order of keys.
//
// $last   key after which the page begins
// $count  most phrases returned
// -> id, text, lang, uri, vector
MATCH (p:Phrase)
WHERE p.id > $last
  AND p.vector IS NOT NULL
WITH p
ORDER BY p.id
LIMIT $count
RETURN p.id AS id, p.text AS text, p.lang AS lang, coalesce(p.uri, "") AS uri, p.vector AS vector
