// Some edges of some phrases, in both directions.
//
// $ids    keys of the phrases
// $count  most edges of each phrase, in each direction
// -> from_id, relation, to_id, text, is_out, accepted
UNWIND $ids AS id
MATCH (p:Phrase {id: id})
CALL (p) {
  MATCH (p)-[r]->(other:Phrase)
  RETURN r, other, true AS is_out
  LIMIT $count
  UNION ALL
  MATCH (p)<-[r]-(other:Event)
  RETURN r, other, false AS is_out
  LIMIT $count
}
RETURN id AS from_id, type(r) AS relation, other.id AS to_id, other.text AS text, is_out, r.accepted AS accepted
