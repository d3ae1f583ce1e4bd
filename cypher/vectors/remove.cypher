// Takes the vectors of a page of phrases away.
//
// $last   key after which the page begins
// $count  most phrases of the page
// -> id
MATCH (p:Phrase)
WHERE p.id > $last
  AND p.vector IS NOT NULL
WITH p
ORDER BY p.id
LIMIT $count
REMOVE p.vector
RETURN p.id AS id
