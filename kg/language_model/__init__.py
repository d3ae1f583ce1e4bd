"""The language model: the one waist through which teacher, critic, student and probes meet a causal model.

It knows no triple and no graph: texts come in; models, log-probabilities and texts go out.
"""
