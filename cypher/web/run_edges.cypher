// How many edges each run asserted, and how many of them are accepted.
//
// -> run, edges, accepted
MATCH (:Event)-[r]->(:Phrase|Nothing)
UNWIND r.runs AS run
RETURN run, count(*) AS edges, count(CASE WHEN r.accepted THEN 1 END) AS accepted
