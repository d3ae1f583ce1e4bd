// The vectors of phrases that have one, in the order of keys.
//
// $ids  keys of the phrases
// -> id, vector
MATCH (p:Phrase)
WHERE p.id IN $ids
  AND p.vector IS NOT NULL
RETURN p.id AS id, p.vector AS vector
ORDER BY id
