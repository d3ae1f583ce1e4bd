"""Vectors as a file for other tools: word2vec's text, or safetensors; beside it the licence, `FILE.licence.json`."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from more_itertools import chunked

from kg import strict_json
from kg.errors import InputError
from kg.exchange.conceptnet import plain_uri
from kg.exchange.target import export_file, open_text
from kg.graph.knowledge import KnowledgeGraph
from kg.store.bolt import Row
from kg.vectors.kept import Term, standing, terms
from kg.workspace import is_stream

_ROWS = 10_000


class Exported(NamedTuple):
    """What was written: the number of terms, and the licence of the graph that they come from, if it is known."""

    terms: int
    licence: str | None


def export(graph: KnowledgeGraph, path: Path) -> Exported:
    """Write the vectors that stand, each under its ConceptNet URI, in the order of phrases' keys.

    Args:
        graph: has vectors.
        path: ends in `.txt`, `.txt.gz`, `.vec`, `.vec.gz` or `.safetensors`; an older file is replaced.

    Raises:
        NotReady: the graph has no vectors.
        InputError: the ending is another one, or the file cannot be written.
    """
    run = standing(graph)
    about = {"licence": run.get("licence"), "run": run["id"], "base": run.get("model"), "terms": run["terms"],
             "dimensions": run["dimensions"]}  # fmt: skip
    name = path.name.lower()
    if name.endswith(".safetensors"):
        count = _safetensors(graph, path, run, {key: str(value or "") for key, value in about.items()})
    elif name.removesuffix(".gz").endswith((".txt", ".vec")):
        count = _text(graph, path, run)
    else:
        raise InputError(f"{path} ends neither in .txt or .vec (word2vec's text, also .gz) nor in .safetensors")
    if not is_stream(path):
        note = path.with_name(f"{path.name}.licence.json")
        with export_file(note) as draft:
            draft.write_text(strict_json.write(about, indent=2) + "\n", encoding="utf-8")
    return Exported(count, run.get("licence"))


def uri_of(term: Term) -> str:
    """Return the URI under which a phrase's vector is written; no URI has a blank."""
    return (term.uri or plain_uri(term.text, term.lang)).replace(" ", "_")


def _text(graph: KnowledgeGraph, path: Path, run: Row) -> int:
    count = 0
    with export_file(path) as draft, open_text(draft, path) as file:
        file.write(f"{run['terms']} {run['dimensions']}\n")
        for term in terms(graph):
            file.write(f"{uri_of(term)} {' '.join(f'{value:.6g}' for value in term.vector)}\n")
            count += 1
    return count


def _safetensors(graph: KnowledgeGraph, path: Path, run: Row, about: dict[str, str]) -> int:
    from safetensors.numpy import save_file  # noqa: PLC0415

    names: list[str] = []

    def rows() -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        for some in chunked(terms(graph), _ROWS):
            names.extend(map(uri_of, some))
            yield np.array([term.vector for term in some], dtype=np.float32)

    vectors = np.concatenate([np.zeros((0, run["dimensions"]), dtype=np.float32), *rows()])
    with export_file(path) as draft:
        save_file({"vectors": vectors}, draft, about | {"terms": "\n".join(names)})
    return len(names)
