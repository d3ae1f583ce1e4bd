"""Stage 2: learns from judgements which triples are acceptable, and scores all of them.

`kinds` is the table of critics, of which `training` and `model` are one; `checkpoint` trains and opens a critic of any
kind. `acceptance` chooses thresholds on a critic's scores, `metrics` measures a critic, and `runs` does all of this on
a graph. `agreement` says what the judgements are worth, `estimating` what they and the scores say of a set of edges.
"""
