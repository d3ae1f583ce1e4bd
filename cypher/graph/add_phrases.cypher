// Texts that a judgement names; they become events or inferences only when a run asserts them.
//
// $rows  one map a phrase: id, text, lang, uri (or null)
UNWIND $rows AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang, p.uri = row.uri
FOREACH (_ IN CASE WHEN row.uri IS NULL THEN [] ELSE [1] END | SET p:Concept)
