// Events that a run wrote by themselves, before anything is inferred from them.
//
// `known` lists those that another run wrote before, where this run says something of them: key and properties, with the
// run among `runs`.
//
// $rows  one map an event: id, text, lang, uri (or null), derived, logprob
// $run   id of the run that asserts them
// -> written, added, known
UNWIND $rows AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang, p.uri = row.uri
FOREACH (_ IN CASE WHEN row.uri IS NULL THEN [] ELSE [1] END | SET p:Concept)
WITH p, row, NOT p:Event AS new, p.runs IS NULL AS first
SET p:Event, p.split = coalesce(p.split, split(p.splits[0], " ")[0], row.derived)
SET p.logprob = CASE WHEN first THEN row.logprob ELSE p.logprob END,
  p.runs = CASE WHEN $run IN coalesce(p.runs, []) THEN p.runs ELSE coalesce(p.runs, []) + $run END
RETURN count(*) AS written, sum(CASE WHEN new THEN 1 ELSE 0 END) AS added,
  collect(CASE WHEN NOT first AND row.logprob IS NOT NULL THEN [row.id, properties(p)] END) AS known
