// Keys of phrases, and of those whose URI stands below another one.
//
// $ids     keys that there may be
// $prefix  beginning of the URIs, with the last slash
// $count   most keys returned
// -> id
CALL () {
  MATCH (p:Phrase)
  WHERE p.id IN $ids
  RETURN p.id AS id
  UNION
  MATCH (p:Concept)
  WHERE p.uri STARTS WITH $prefix
  RETURN p.id AS id
}
RETURN id
LIMIT $count
