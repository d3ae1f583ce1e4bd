// Relations that the graph knows, in their order.
//
// -> name, phrase, question, symmetric, about_person, source, tail_kind, tail_time, opposite, templates, phrases, questions
MATCH (n:Relation)
RETURN n.name AS name, n.phrase AS phrase, n.question AS question, n.symmetric AS symmetric,
  n.about_person AS about_person, n.source AS source,
  coalesce(n.tail_kind, "") AS tail_kind, coalesce(n.tail_time, "") AS tail_time, coalesce(n.opposite, "") AS opposite,
  coalesce(n.templates, []) AS templates, coalesce(n.phrases, []) AS phrases,
  coalesce(n.questions, []) AS questions
ORDER BY n.place, n.name
