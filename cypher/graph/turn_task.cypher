// Where an annotator stands with a task from now on: judged, skipped, held, or none of these.
//
// $id       key of the task
// $run      id of the run in which the annotator judges
// $state    judged, skipped, or null
// $held     what holds the task for the annotator: the run, a blank, and until when; a list of at most one text
// $entries  what is added to the log, a list of at most one text
MATCH (t:Task {id: $id})
SET t.judged = [one IN t.judged WHERE one <> $run] + CASE WHEN $state = "judged" THEN [$run] ELSE [] END,
  t.skipped = [one IN t.skipped WHERE one <> $run] + CASE WHEN $state = "skipped" THEN [$run] ELSE [] END,
  t.log = t.log + $entries
WITH t, [one IN coalesce(t.reserved, []) WHERE NOT one STARTS WITH $run + " "] + $held AS reserved
SET t.reserved = CASE WHEN size(reserved) > 0 THEN reserved END
