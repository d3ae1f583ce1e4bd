// Annotators, with the runs that recorded their judgements, in the order of their names.
//
// -> annotator, runs
MATCH (j:Judgement)
UNWIND j.runs AS run
WITH j.annotator AS annotator, collect(DISTINCT run) AS runs
RETURN annotator, runs
ORDER BY annotator
