// One phrase.
//
// $id  its key
// -> id, text, lang, uri, is_event, split, runs, inferences, told
MATCH (p:Phrase {id: $id})
RETURN p.id AS id, p.text AS text, p.lang AS lang, coalesce(p.uri, "") AS uri, p:Event AS is_event, p.split AS split,
  coalesce(p.runs, []) AS runs, COUNT { (p)-->() } AS inferences,
  COUNT { (p)<--() } - COUNT { (p)<-[:HEAD]-() } - COUNT { (p)<-[:TAIL]-() } AS told
