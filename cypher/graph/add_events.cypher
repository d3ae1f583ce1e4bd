// Heads. The split is the one that a run published first (`graph/publish_splits`), or follows from the key.
//
// $rows     one map an event: id, text, lang, uri (or null), derived
// -> fresh
// `fresh` lists those that were no event before: nothing leaves them yet, and they were locked before that was looked at
// (`ON MATCH SET` takes the lock).
UNWIND $rows AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang, p.uri = row.uri
ON MATCH SET p.lang = p.lang
WITH p, row, NOT p:Event AS fresh
SET p:Event, p.split = coalesce(p.split, split(p.splits[0], " ")[0], row.derived)
FOREACH (_ IN CASE WHEN row.uri IS NULL THEN [] ELSE [1] END | SET p:Concept)
RETURN collect(CASE WHEN fresh THEN row.id END) AS fresh
