// Deletes, among some phrases, those that nothing needs: without relationship, evidence, and label that edges bear out.
//
// Judgements bear out no label, so that this is all to be done when they went; `graph/tidy_phrases` takes twice as long.
//
// $ids  keys of phrases
UNWIND $ids AS id
MATCH (p:Phrase {id: id})
WHERE p.runs IS NULL
  AND NOT p:Event
  AND NOT p:Inference
  AND NOT EXISTS { (p)--() }
DELETE p
