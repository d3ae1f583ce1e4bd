// Properties of phrases that were read in the same transaction. A null removes a property.
//
// $rows  one list a phrase: its key, a map of properties
UNWIND $rows AS row
MATCH (p:Phrase {id: row[0]})
SET p += row[1]
