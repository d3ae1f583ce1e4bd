// Relations of a vocabulary, kept in the graph so that later commands know them.
//
// $rows  one map a relation: name, place, phrase, question, symmetric, about_person, source, templates
UNWIND $rows AS row
MERGE (n:Relation {name: row.name})
ON CREATE SET n.place = row.place
SET n += row {.phrase, .question, .symmetric, .about_person, .source, .templates}
