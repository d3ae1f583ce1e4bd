// The task of a batch that an annotator is to judge next, held for that annotator until a time: the one that is held already,
// else the first that the annotator neither judged nor skipped, and that has not as many others as it is for.
//
// $batch  id of the run that drew it
// $run    id of the run in which the annotator judges
// $now    seconds since 1970
// $until  until when it is held, in seconds since 1970
// -> id
MATCH (t:Task {run: $batch})
WHERE NOT $run IN t.judged
  AND NOT $run IN t.skipped
WITH t, any(one IN coalesce(t.reserved, []) WHERE one STARTS WITH $run + " ") AS mine,
  [one IN coalesce(t.reserved, []) WHERE NOT one STARTS WITH $run + " " AND toFloat(split(one, " ")[1]) > $now] AS others
WHERE size(t.judged) + size(others) < t.wanted
WITH t, mine, others
ORDER BY mine DESC, t.place, t.id
LIMIT 1
SET t.reserved = others + [$run + " " + toString($until)]
RETURN t.id AS id
