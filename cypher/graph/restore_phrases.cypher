// Phrases as they were in another graph. What this graph says already stays.
//
// $rows  one map a phrase: id, text, lang, uri, labels, split, runs, logprob
UNWIND $rows AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang, p.uri = row.uri
SET p.split = coalesce(p.split, row.split),
  p.logprob = CASE WHEN p.runs IS NULL THEN row.logprob ELSE p.logprob END
FOREACH (_ IN CASE WHEN "Event" IN row.labels THEN [1] ELSE [] END | SET p:Event)
FOREACH (_ IN CASE WHEN "Inference" IN row.labels THEN [1] ELSE [] END | SET p:Inference)
FOREACH (_ IN CASE WHEN "Concept" IN row.labels THEN [1] ELSE [] END | SET p:Concept)
FOREACH (_ IN CASE WHEN size(row.runs) > 0 THEN [1] ELSE [] END |
  SET p.runs = coalesce(p.runs, []) + [run IN row.runs WHERE NOT run IN coalesce(p.runs, [])]
)
