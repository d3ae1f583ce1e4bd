// Opens the tasks of a batch again that were judged or skipped in a run, as if the run had never been.
//
// $batch  id of the run that drew them
// $run    id of the run in which an annotator judged
MATCH (t:Task {run: $batch})
SET t.judged = [one IN t.judged WHERE one <> $run], t.skipped = [one IN t.skipped WHERE one <> $run],
  t.log = [entry IN t.log WHERE NOT entry STARTS WITH $run + " "]
WITH t, [one IN coalesce(t.reserved, []) WHERE NOT one STARTS WITH $run + " "] AS reserved
SET t.reserved = CASE WHEN size(reserved) > 0 THEN reserved END
