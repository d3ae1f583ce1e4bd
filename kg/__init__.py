"""The graph of a distillation: what is known, who claimed it, how sure the critic is.

`kg.distill.distill` is the whole loop as one function; `kg.graph.knowledge.KnowledgeGraph` has the domain's verbs.
"""

__version__ = "0.1.0"
