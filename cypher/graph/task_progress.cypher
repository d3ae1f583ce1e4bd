// How far a batch is, and how far one annotator is with it.
//
// $batch  id of the run that drew it
// $run    id of the run in which the annotator judges, or null
// -> tasks, wanted, done, mine, skipped, left
MATCH (t:Task {run: $batch})
RETURN count(t) AS tasks, sum(t.wanted) AS wanted,
  sum(CASE WHEN size(t.judged) < t.wanted THEN size(t.judged) ELSE t.wanted END) AS done,
  count(CASE WHEN $run IN t.judged THEN 1 END) AS mine, count(CASE WHEN $run IN t.skipped THEN 1 END) AS skipped,
  count(CASE WHEN size(t.judged) < t.wanted AND NOT coalesce($run IN t.judged + t.skipped, false) THEN 1 END) AS left
