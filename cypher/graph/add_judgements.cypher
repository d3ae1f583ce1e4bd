// Verdicts of annotators. A newer verdict of the same annotator on the same triple replaces the older one.
//
// $rows  one map a judgement: id, head, relation, tail, annotator, value
// $run   id of the run
// $at    when they were recorded
// -> written, added
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (j:Judgement {id: row.id})
ON CREATE SET j.relation = row.relation, j.annotator = row.annotator, j.at = $at, j.runs = [$run], j.new = true
ON MATCH SET j.runs = CASE WHEN $run IN j.runs THEN j.runs ELSE j.runs + $run END
SET j.value = row.value
MERGE (j)-[:HEAD]->(head)
MERGE (j)-[:TAIL]->(tail)
WITH j, coalesce(j.new, false) AS added
REMOVE j.new
RETURN count(*) AS written, sum(toInteger(added)) AS added
