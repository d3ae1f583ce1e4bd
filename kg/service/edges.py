"""An edge of the graph as ConceptNet's API shows one, and with it what ConceptNet had not: score, accepted, runs.

A run is a source of its edges: `/s/process/RUN` by `/s/resource/MODEL`, its teacher, or else its data set. What the
edge's own source said of data set, licence, sources and surface text stands first.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from kg.exchange.conceptnet import assertion_uri, plain_uri, relation_uri
from kg.service.uris import is_below
from kg.store.bolt import Row

_LICENCES = {"cc-by-4.0": "cc:by/4.0", "cc-by-sa-4.0": "cc:by-sa/4.0", "cc by 4.0": "cc:by/4.0",
             "cc by-sa 4.0": "cc:by-sa/4.0"}  # fmt: skip
_POS = 5  # parts of /c/en/cat/n, after which a sense is told from the others

Runs = Mapping[str, Mapping[str, Any]]
"""Id to run, as `KnowledgeGraph.runs` has it."""


def node(text: str, lang: str, uri: str) -> dict[str, Any]:
    """Return a phrase as an end of an edge.

    >>> node("cat", "en", "/c/en/cat/n/wn/animal")["sense_label"]
    'n, animal'
    """
    own = uri if uri.startswith(("/c/", "/x/")) or "://" in uri else plain_uri(text, lang)
    parts = own.split("/")
    is_concept = own.startswith("/c/")
    found = {
        "@id": own, "@type": "Node", "label": text, "language": lang,
        "term": "/".join(parts[:4]) if is_concept else own,
    }  # fmt: skip
    if is_concept and len(parts) >= _POS:
        found["sense_label"] = ", ".join(dict.fromkeys([parts[4], parts[-1].replace("_", " ")]))
    return found


def relation(name: str) -> dict[str, str]:
    """Return a relation as an edge names it."""
    return {"@id": relation_uri(name), "@type": "Relation", "label": name}


def edge(row: Row, runs: Runs) -> dict[str, Any]:
    """Return a row of the statements in `cypher/service/` as an edge.

    Args:
        row: with the columns of these statements.
        runs: all runs of the graph.
    """
    details = _object(row["details"])
    start = node(row["head"], row["head_lang"], row["head_uri"])
    end = node(row["tail"], row["tail_lang"], row["tail_uri"])
    rel = relation(row["relation"])
    told = [runs.get(run, {"id": run}) for run in row["runs"]]
    surface = details.get("surfaceText")
    return {
        "@id": assertion_uri(rel["@id"], start["@id"], end["@id"]),
        "@type": "Edge",
        "dataset": _text(details.get("dataset")) or dataset_uri(told[0] if told else {}),
        "license": _text(details.get("license")) or next(filter(None, map(licence_of, told)), ""),
        "rel": rel,
        "start": start,
        "end": end,
        "sources": [*map(_source, row["sources"]), *map(_run_source, told)],
        "surfaceText": surface if isinstance(surface, str) else None,
        "weight": 1.0 if row["weight"] is None else row["weight"],
        **{name: row[name] for name in ("score", "critic", "accepted", "predicted", "published", "runs")},
    }


def dataset_uri(run: Mapping[str, Any]) -> str:
    """Return the URI of the data set that a run's edges belong to."""
    return f"/d/{_part(run.get('dataset') or run.get('model') or run.get('kind') or 'skd')}"


def source_uris(run: Mapping[str, Any]) -> tuple[str, str]:
    """Return the URIs of a run as a source: who contributed, and by which process."""
    who = run.get("model") or run.get("dataset") or run.get("kind") or "skd"
    return f"/s/resource/{_part(who)}", f"/s/process/{_part(run['id'])}"


def runs_below(uri: str, runs: Iterable[Mapping[str, Any]], *, dataset: bool = False) -> list[str]:
    """Return the ids of those runs that a URI of a source, or of a data set, stands for."""
    return [
        run["id"]
        for run in runs
        if any(is_below(own, uri) for own in ([dataset_uri(run)] if dataset else source_uris(run)))
    ]


def licence_of(run: Mapping[str, Any]) -> str:
    """Return a run's licence as ConceptNet words the common ones, other ones as the run has them."""
    text = str(run.get("licence") or "")
    return _LICENCES.get(text.lower(), text)


def _run_source(run: Mapping[str, Any]) -> dict[str, str]:
    contributor, process = source_uris(run)
    return _joined({"contributor": contributor, "process": process})


def _source(text: str) -> dict[str, Any]:
    found = _object(text)
    return _joined(found or {"contributor": text})


def _joined(source: dict[str, Any]) -> dict[str, Any]:
    """Return a source with its type, and a URI that is one part's, or that of all of them together."""
    parts = sorted(value for name, value in source.items() if isinstance(value, str) and name[:1] not in "@w")
    own = parts[0] if len(parts) == 1 else f"/and/[{','.join(f'{part}/' for part in parts)}]"
    return {"@id": own, "@type": "Source"} | source


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _part(text: object) -> str:
    return quote(str(text), safe="").replace("%20", "_")
