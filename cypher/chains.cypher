// Paths of two steps, through a text that is a tail here and a head there.
//
// $min_score  smallest score of both steps (default 0.0)
// -> head, first, middle, second, tail
MATCH (head:Event)-[a]->(middle:Inference:Event)-[b]->(tail:Phrase)
WHERE coalesce(a.score, 1.0) >= $min_score
  AND coalesce(b.score, 1.0) >= $min_score
  AND head <> tail
RETURN head.text AS head, type(a) AS first, middle.text AS middle, type(b) AS second, tail.text AS tail
ORDER BY coalesce(a.score, 0.0) + coalesce(b.score, 0.0) DESC, head, first, middle, second, tail
