// Counts of nodes.
//
// -> phrases, events, inferences, judgements, runs, critics
RETURN COUNT { (:Phrase) } AS phrases, COUNT { (:Event) } AS events, COUNT { (:Inference) } AS inferences,
  COUNT { (:Judgement) } AS judgements, COUNT { (:Run) } AS runs, COUNT { (:Critic) } AS critics
