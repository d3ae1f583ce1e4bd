"""Whose terms hold for a model that learns from triples of the graph: those of the models that wrote the triples."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from kg.graph.knowledge import KnowledgeGraph
from kg.language_model.terms import FIELD, GEMMA, derived, origin_of_name
from kg.model import Triple


def origin_of_run(run: Mapping[str, Any]) -> str | None:
    """Return what the texts of a run are derived from: as its parameters say, else by the name of its model.

    Args:
        run: as `KnowledgeGraph.run` returns it.

    >>> origin_of_run({"model": "gemma-3-270m"}), origin_of_run({"model": "gpt-4o", "parameters": "{}"})
    ('gemma', None)
    >>> origin_of_run({"model": "generator-1", "parameters": '{"derived_from": "gemma"}'})
    'gemma'
    """
    says_so = json.loads(run.get("parameters") or "{}").get(FIELD) == GEMMA
    return derived(GEMMA if says_so else None, origin_of_name(run.get("model") or ""))


def origin_of_runs(graph: KnowledgeGraph, ids: Collection[str]) -> str | None:
    """Return what a model that learns from what some runs wrote is derived from."""
    return derived(*(origin_of_run(run) for run in graph.runs() if run["id"] in ids))


def origin_of_triples(graph: KnowledgeGraph, triples: Collection[Triple]) -> str | None:
    """Return what a model that learns from triples is derived from; one that a model under terms wrote is enough."""
    origins = {run["id"]: origin for run in graph.runs() if (origin := origin_of_run(run))}
    if not origins:
        return None
    learnt = {(triple.head, triple.relation, triple.tail) for triple in triples}
    for edge in graph.edges(where="any(run IN r.runs WHERE run IN $runs)", parameters={"runs": list(origins)}):
        if (edge.triple.head, edge.triple.relation, edge.triple.tail) in learnt:
            return next(origins[run] for run in edge.runs if run in origins)
    return None
