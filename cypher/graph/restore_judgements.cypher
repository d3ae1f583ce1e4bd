// Judgements of another graph. Those that this graph has keep their value; runs are joined.
//
// $rows  one map a judgement: id, head, relation, tail, annotator, value, at, runs
// -> written
UNWIND $rows AS row
MATCH (head:Phrase {id: row.head})
MATCH (tail:Phrase {id: row.tail})
MERGE (j:Judgement {id: row.id})
ON CREATE SET j.relation = row.relation, j.annotator = row.annotator, j.value = row.value, j.at = row.at, j.runs = []
SET j.runs = j.runs + [run IN row.runs WHERE NOT run IN j.runs]
MERGE (j)-[:HEAD]->(head)
MERGE (j)-[:TAIL]->(tail)
RETURN count(*) AS written
