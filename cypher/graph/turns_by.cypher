// Tasks through which an annotator said something, that of the last word first.
//
// $runs    one map a batch that the annotator may have judged: batch (the run that drew it) and run (in which they judge)
// $task    key of the only task that counts, or null
// $before  only tasks whose last word was said before this time (in UTC, as ISO 8601), or null
// $count   most tasks returned
// -> id, run, head_id, tail_id, head, relation, tail, lang, tail_lang, head_uri, tail_uri, said
UNWIND $runs AS own
MATCH (t:Task {run: own.batch})
WHERE $task IS NULL
  OR t.id = $task
WITH t, [entry IN t.log WHERE entry STARTS WITH own.run + " "] AS said
WHERE size(said) > 0
WITH t, said, split(last(said), " ")[1] AS at
WHERE $before IS NULL
  OR at < $before
WITH t, said, at
ORDER BY at DESC, t.id
LIMIT $count
MATCH (t)-[:HEAD]->(head:Phrase)
MATCH (t)-[:TAIL]->(tail:Phrase)
RETURN t.id AS id, t.run AS run, head.id AS head_id, tail.id AS tail_id, head.text AS head, t.relation AS relation,
  tail.text AS tail, head.lang AS lang, CASE WHEN tail.lang = head.lang THEN "" ELSE tail.lang END AS tail_lang,
  coalesce(head.uri, "") AS head_uri,
  coalesce(tail.uri, CASE WHEN tail.text = "none" THEN "/c/" + tail.lang + "/none" ELSE "" END) AS tail_uri, said
ORDER BY at DESC, id
