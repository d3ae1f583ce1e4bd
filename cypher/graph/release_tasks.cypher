// Holds nothing of a batch for an annotator any more.
//
// $batch  id of the run that drew it
// $run    id of the run in which the annotator judges
MATCH (t:Task {run: $batch})
WHERE any(one IN t.reserved WHERE one STARTS WITH $run + " ")
WITH t, [one IN t.reserved WHERE NOT one STARTS WITH $run + " "] AS others
SET t.reserved = CASE WHEN size(others) > 0 THEN others END
