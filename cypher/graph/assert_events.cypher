// Events that a run wrote by themselves, before anything is inferred from them.
//
// $rows  one map an event: id, text, lang, uri (or null), derived, logprob
// $run   id of the run that asserts them
// -> written, added
UNWIND $rows AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang, p.uri = row.uri
FOREACH (_ IN CASE WHEN row.uri IS NULL THEN [] ELSE [1] END | SET p:Concept)
WITH p, row, NOT p:Event AS new
SET p:Event, p.split = coalesce(p.split, row.derived),
  p.logprob = CASE WHEN p.runs IS NULL THEN row.logprob ELSE p.logprob END,
  p.runs = CASE WHEN $run IN coalesce(p.runs, []) THEN p.runs ELSE coalesce(p.runs, []) + $run END
RETURN count(*) AS written, sum(CASE WHEN new THEN 1 ELSE 0 END) AS added
