// Tasks of another graph. Who judged or skipped a task that this graph has is joined with what is known here.
//
// $rows  one map a task: id, head, relation, tail, run, place, wanted, probability, control, judged, skipped, log
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (t:Task {id: row.id})
ON CREATE SET t += row {.run, .relation, .place, .wanted, .probability, .control}, t.judged = [], t.skipped = [], t.log = []
WITH t, head, tail, row, [run IN row.judged + row.skipped WHERE NOT run IN t.judged + t.skipped] AS new
SET t.judged = t.judged + [run IN row.judged WHERE run IN new], t.skipped = t.skipped + [run IN row.skipped WHERE run IN new],
  t.log = t.log + [entry IN row.log WHERE NOT entry IN t.log]
MERGE (t)-[:HEAD]->(head)
MERGE (t)-[:TAIL]->(tail)
RETURN count(*) AS written
