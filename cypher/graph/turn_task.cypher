// Where an annotator stands with a task from now on: judged, skipped, or held; and the run in which the annotator judges.
//
// $id      key of the task
// $run     id of the run in which the annotator judges, which has begun
// $state   judged, skipped, or null
// $held    what holds the task for the annotator: the run, a blank, and until when; a list of at most one text
// $entry   what is added to the log, or null
// $judged  how many verdicts more the run has: 1, 0 or -1
// $added   how many judgements more there are by it: 1, 0 or -1
// $at      now
MATCH (t:Task {id: $id})
SET t.judged = [one IN t.judged WHERE one <> $run] + CASE WHEN $state = "judged" THEN [$run] ELSE [] END,
  t.skipped = [one IN t.skipped WHERE one <> $run] + CASE WHEN $state = "skipped" THEN [$run] ELSE [] END,
  t.log = t.log + CASE WHEN $entry IS NULL THEN [] ELSE [$entry] END
WITH t, [one IN coalesce(t.reserved, []) WHERE NOT one STARTS WITH $run + " "] + $held AS reserved
SET t.reserved = CASE WHEN size(reserved) > 0 THEN reserved END
WITH t
MATCH (n:Run {id: $run})
SET n.offered = n.offered + $judged, n.added = n.added + $added, n.status = "finished", n.finished = $at
