// Which critics, acceptances and students are current, and their numbers.
//
// $rows  one map each: id, order, current
UNWIND $rows AS row
MATCH (n:Critic|Acceptance|Student {id: row.id})
SET n.current = row.current, n.order = row.order
