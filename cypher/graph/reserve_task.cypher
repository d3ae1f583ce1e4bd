// The task of a batch that an annotator is to judge next, held for that annotator until a time: the one that is held already,
// else the first that the annotator neither judged nor skipped, and that has not as many others as it is for.
//
// The lock on the batch's run puts those who ask in a row. For whom a task is held is no content, so no write is counted.
//
// $batch  id of the run that drew it
// $run    id of the run in which the annotator judges
// $now    seconds since 1970
// $until  until when it is held, in seconds since 1970
// -> id, run, head, relation, tail, lang, tail_lang, head_uri, tail_uri
MATCH (n:Run {id: $batch})
WHERE n.status = "finished"
SET n.status = n.status
WITH n
MATCH (t:Task {run: n.id})
WHERE NOT $run IN t.judged
  AND NOT $run IN t.skipped
WITH t, any(one IN coalesce(t.reserved, []) WHERE one STARTS WITH $run + " ") AS mine,
  [one IN coalesce(t.reserved, []) WHERE NOT one STARTS WITH $run + " " AND toFloat(split(one, " ")[1]) > $now] AS others
WHERE size(t.judged) + size(others) < t.wanted
WITH t, mine, others
ORDER BY mine DESC, t.place, t.id
LIMIT 1
SET t.reserved = others + [$run + " " + toString($until)]
WITH t
MATCH (t)-[:HEAD]->(head:Phrase)
MATCH (t)-[:TAIL]->(tail:Phrase)
RETURN t.id AS id, t.run AS run, head.text AS head, t.relation AS relation, tail.text AS tail, head.lang AS lang,
  CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang, coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, CASE WHEN tail.text = "none" THEN "/c/" + tail.lang + "/none" ELSE "" END) AS tail_uri
