// Some events from which a phrase is inferred.
//
// $id     key of the phrase
// $count  most edges returned
// -> head_id, head, relation, split, predicted, score, accepted
MATCH (tail:Phrase {id: $id})<-[r]-(head:Event)
WITH head, r
LIMIT $count
RETURN head.id AS head_id, head.text AS head, type(r) AS relation, head.split AS split, r.predicted AS predicted,
  r.score AS score, r.accepted AS accepted
ORDER BY relation, coalesce(score, -1.0) DESC, head, head_id
