// How many triples that are no predictions each split has.
//
// -> split, triples
MATCH (head:Event)-[r]->(:Phrase)
WHERE NOT r.predicted
RETURN head.split AS split, count(r) AS triples
