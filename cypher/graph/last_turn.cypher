// The task of a batch that an annotator judged or skipped last.
//
// $batch  id of the run that drew it
// $run    id of the run in which the annotator judges
// -> id
MATCH (t:Task {run: $batch})
WHERE $run IN t.judged
  OR $run IN t.skipped
RETURN t.id AS id
ORDER BY split(last([entry IN t.log WHERE entry STARTS WITH $run + " "]), " ")[1] DESC, t.place DESC
LIMIT 1
