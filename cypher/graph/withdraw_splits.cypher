// Takes away the splits that a run published.
//
// $rows  one map a phrase: id, derived
// $own   what the run may have put there: its id after each of the splits
UNWIND $rows AS row
MATCH (p:Phrase {id: row.id})
WHERE any(split IN p.splits WHERE split IN $own)
WITH p, row, [split IN p.splits WHERE NOT split IN $own] AS kept
SET p.splits = CASE WHEN size(kept) > 0 THEN kept END,
  p.split = CASE WHEN p:Event THEN coalesce(split(kept[0], " ")[0], row.derived) END
