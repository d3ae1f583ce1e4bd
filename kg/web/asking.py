"""The Cypher page: what `kg query` answers, as a table and as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg import strict_json
from kg.commands.query import cell_text, parse_parameter
from kg.errors import InputError, NotFound, QueryError, StoreUnavailable
from kg.store import adhoc, queries
from kg.store.adhoc import Answer
from kg.store.queries import Query
from kg.web import picture
from kg.web.pages import render
from kg.web.site import Site

_ROWS = 200  # shown
_SECONDS = 20.0  # after which the server ends a statement
_PREFIX = "p."  # before the name of a parameter, in an address
_HEADS, _RELATIONS, _TAILS = ("head", "event"), ("relation",), ("tail",)


def routes(site: Site) -> APIRouter:
    """Return the page's address."""
    router = APIRouter()

    @router.get("/cypher")
    def show(request: Request) -> Response:
        given = request.query_params
        text, name = given.get("cypher", ""), given.get("name", "")
        shipped = queries.load(name) if name in queries.named() else None
        if name and shipped is None:
            raise NotFound(f"there is no shipped query {name[:80]!r}")
        shown: dict[str, Any] = {"answer": None, "drawn": None, "failed": ""}
        if text.strip() or (shipped and (not shipped.parameters or "ask" in given)):
            chosen = shipped or Query("ad hoc", text)
            try:
                answer = adhoc.run(
                    site.reading().graph.store, chosen.text, values_of(chosen, given),
                    limit_rows=_ROWS, timeout_seconds=_SECONDS,
                )  # fmt: skip
                triples = list(triples_in(answer))
                shown |= {
                    "answer": answer,
                    "cells": [[cell_text(value) for value in row] for row in answer.rows],
                    "notes": [] if shipped else list(dict.fromkeys(answer.notes)),
                    "drawn": picture.draw_edges(triples) if triples else None,
                }
            except StoreUnavailable:
                raise
            except (InputError, QueryError) as error:
                shown["failed"] = str(error)
        defaults = {key: strict_json.write(value) for key, value in shipped.defaults.items()} if shipped else {}
        return render(
            request, "cypher", cypher=text, shipped=shipped, given=given, defaults=defaults, prefix=_PREFIX, most=_ROWS,
            all=[queries.load(one) for one in queries.named()], **shown,
        )  # fmt: skip

    return router


def values_of(query: Query, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a query's parameters from an address; an empty one is left to its default.

    Raises:
        InputError: one is missing, or no value that Neo4j has a place for.
    """
    values = dict(query.defaults)
    for name in query.parameters:
        text = given.get(_PREFIX + name, "")
        if text:
            values[name] = parse_parameter(f"{name}={text}")[1]
        elif name not in values:
            raise InputError(f"the query wants {name}: {query.parameters[name]}")
    return values


def triples_in(answer: Answer) -> Iterator[tuple[str, str, str]]:
    """Yield the triples in an answer: of columns with their names, of relationships, and of paths."""
    places = [_first(answer.columns, names) for names in (_HEADS, _RELATIONS, _TAILS)]
    for row in answer.rows:
        if all(place is not None for place in places):
            texts = [row[place] for place in places if place is not None]
            if all(isinstance(text, str) for text in texts):
                yield texts[0], texts[1], texts[2]
        for value in row:
            for one in getattr(value, "relationships", [value]):  # of a path
                if hasattr(one, "start_node"):
                    yield _name(one.start_node), one.type, _name(one.end_node)


def _first(columns: Sequence[str], names: Sequence[str]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


def _name(node: Any) -> str:
    """Return how a node of an answer is called: its text, else its key. An end of a relationship may have neither."""
    return str(node.get("text") or node.get("id") or node.element_id)
