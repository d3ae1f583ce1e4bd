// Relations that the graph knows, in their order.
//
// -> name, phrase, question, symmetric, about_person, source, templates
MATCH (n:Relation)
RETURN n.name AS name, n.phrase AS phrase, n.question AS question, n.symmetric AS symmetric,
  n.about_person AS about_person, n.source AS source,
  coalesce(n.templates, []) AS templates
ORDER BY n.place, n.name
