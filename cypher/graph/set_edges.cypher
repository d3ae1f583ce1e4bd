// Properties of edges that were read in the same transaction, or just before it; the keys guard against element ids that
// were reused meanwhile. A null removes a property.
//
// $rows  one list an edge: its element id, the keys of head and tail, a map of properties
// -> written
UNWIND $rows AS row
MATCH (head)-[r]->(tail)
WHERE elementId(r) = row[0]
  AND head.id = row[1]
  AND tail.id = row[2]
SET r += row[3]
RETURN count(*) AS written
