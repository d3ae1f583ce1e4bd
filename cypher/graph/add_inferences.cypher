// Tails.
//
// $rows  one map an inference: id, text, lang
UNWIND $rows AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang
SET p:Inference
