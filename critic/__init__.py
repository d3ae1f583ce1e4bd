"""Stage 2: learns from judgements which triples are acceptable, and scores all of them.

`critic.training` makes a `critic.model.Critic`, `acceptance` chooses thresholds on its scores, `metrics` says how good
it is, and `stage` does all of it on a graph.
"""
