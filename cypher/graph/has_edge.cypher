// An edge of a relation, where there is one.
//
// $head  key of the head
// $tail  key of the tail
// -> element, properties
MATCH (:Phrase {id: $head})-[r:RELATION]->(:Phrase {id: $tail})
RETURN elementId(r) AS element, properties(r) AS properties
