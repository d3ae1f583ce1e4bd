// Tails.
//
// $rows  one map an inference: id, text, lang, uri (or null)
UNWIND $rows AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang, p.uri = row.uri
SET p:Inference
FOREACH (_ IN CASE WHEN row.uri IS NULL THEN [] ELSE [1] END | SET p:Concept)
