// Relations of a vocabulary, kept in the graph so that later commands know them.
//
// $rows  one map a relation: its place, and all that a relation has
UNWIND $rows AS row
MERGE (n:Relation {name: row.name})
ON CREATE SET n.place = row.place
SET n += row {.phrase, .question, .symmetric, .about_person, .source, .tail_kind, .tail_time, .opposite, .templates, .phrases,
  .questions}
