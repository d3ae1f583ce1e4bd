// Takes from phrases the labels that nothing bears out any more, and deletes those without any relationship.
//
// $ids  keys of phrases, and "none" for the node that stands for nothing
UNWIND $ids AS id
OPTIONAL MATCH (phrase:Phrase {id: id})
OPTIONAL MATCH (nothing:Nothing {id: id})
WITH coalesce(phrase, nothing) AS p
WHERE p IS NOT NULL
WITH p, EXISTS { (p)-->(:Phrase|Nothing) } AS head, EXISTS { (:Phrase)-->(p) } AS tail, EXISTS { (p)--() } AS used
FOREACH (_ IN CASE WHEN NOT head THEN [1] ELSE [] END | REMOVE p:Event, p.split)
FOREACH (_ IN CASE WHEN NOT tail THEN [1] ELSE [] END | REMOVE p:Inference)
FOREACH (_ IN CASE WHEN NOT used THEN [1] ELSE [] END | DELETE p)
