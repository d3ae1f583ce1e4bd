// Vectors of phrases, kept in four bytes a number.
//
// $rows  one map a phrase: id, vector
// -> written
UNWIND $rows AS row
MATCH (p:Phrase {id: row.id})
CALL db.create.setNodeVectorProperty(p, "vector", row.vector)
RETURN count(*) AS written
