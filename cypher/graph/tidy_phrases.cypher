// Takes from phrases the labels that nothing bears out any more, and deletes those without relationship and evidence.
//
// $ids  keys of phrases, and "none" for the node that stands for nothing
UNWIND $ids AS id
OPTIONAL MATCH (phrase:Phrase {id: id})
OPTIONAL MATCH (nothing:Nothing {id: id})
WITH coalesce(phrase, nothing) AS p
WHERE p IS NOT NULL
WITH p, p.runs IS NOT NULL AS asserted, EXISTS { (:Phrase)-->(p) } AS tail
WITH p, tail, asserted OR EXISTS { (p)-->(:Phrase|Nothing) } AS head, asserted OR EXISTS { (p)--() } AS used
FOREACH (_ IN CASE WHEN NOT head THEN [1] ELSE [] END | REMOVE p:Event, p.split)
FOREACH (_ IN CASE WHEN NOT tail THEN [1] ELSE [] END | REMOVE p:Inference)
FOREACH (_ IN CASE WHEN NOT used THEN [1] ELSE [] END | DELETE p)
