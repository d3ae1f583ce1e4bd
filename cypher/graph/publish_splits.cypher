// Splits that a run publishes. Each run's first one is kept in `splits`, as the split, a space and the run; the first of
// them holds. A split that an older version took over, of which nobody knows the run, stays before all others.
//
// $rows  one map an event: id, split, derived
// $run   id of the run
// $own   what the run may have put there: its id after each of the splits
UNWIND $rows AS row
MATCH (p:Phrase {id: row.id})
WHERE none(split IN coalesce(p.splits, []) WHERE split IN $own)
WITH p, row, CASE WHEN p.splits IS NULL AND p.split <> row.derived THEN [p.split + " "] ELSE coalesce(p.splits, []) END AS old
SET p.splits = old + (row.split + " " + $run)
SET p.split = CASE WHEN p:Event THEN split(p.splits[0], " ")[0] END
