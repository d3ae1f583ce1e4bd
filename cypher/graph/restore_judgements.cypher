// Judgements of another graph. The verdicts of runs that this graph knows stay; the last one of all holds.
//
// $rows  one map a judgement: id, head, relation, tail, annotator, at, runs, values
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (j:Judgement {id: row.id})
ON CREATE SET j.relation = row.relation, j.annotator = row.annotator, j.at = row.at, j.runs = [], j.values = []
WITH j, row, head, tail, coalesce(j.values, [_ IN j.runs | j.value]) AS verdicts,
  [i IN range(0, size(row.runs) - 1) WHERE NOT row.runs[i] IN j.runs] AS new
SET j.values = verdicts + [i IN new | row.values[i]], j.runs = j.runs + [i IN new | row.runs[i]]
SET j.value = last(j.values)
MERGE (j)-[:HEAD]->(head)
MERGE (j)-[:TAIL]->(tail)
RETURN count(*) AS written
