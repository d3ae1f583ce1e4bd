// Phrases as they were in another graph. What this graph says already stays.
//
// `known` lists those that a run of this graph or of the other wrote: the number of the row and the properties.
//
// $rows  one map a phrase: id, text, lang, uri, labels, split, runs
// -> known
UNWIND range(0, size($rows) - 1) AS place
WITH place, $rows[place] AS row
MERGE (p:Phrase {id: row.id})
ON CREATE SET p.text = row.text, p.lang = row.lang, p.uri = row.uri
SET p.split = coalesce(p.split, row.split)
FOREACH (_ IN CASE WHEN "Event" IN row.labels THEN [1] ELSE [] END | SET p:Event)
FOREACH (_ IN CASE WHEN "Inference" IN row.labels THEN [1] ELSE [] END | SET p:Inference)
FOREACH (_ IN CASE WHEN "Concept" IN row.labels THEN [1] ELSE [] END | SET p:Concept)
RETURN collect(CASE WHEN size(row.runs) > 0 OR size(row.splits) > 0 THEN [place, properties(p)] END) AS known
