// Properties of duplicates. A null removes a property.
//
// $rows  one list a duplicate: its key, a map of properties
UNWIND $rows AS row
MATCH (d:Duplicate {id: row[0]})
SET d += row[1]
