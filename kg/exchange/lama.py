"""LAMA's probes, one JSON object a line: the rows that edges were read from; other edges have no sentence to mask.

Source: Petroni et al. 2019, the published files.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from kg.errors import InputError
from kg.exchange.target import export_file, open_text
from kg.model import Edge


def write_lama(edges: Iterable[Edge], path: Path) -> int:
    """Write the probes of edges that were read from LAMA.

    Args:
        edges: what to write, in this order.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.

    Returns:
        The number of edges written, each with one row or more.

    Raises:
        InputError: an edge was not read from LAMA, or the file cannot be written.
    """
    count = 0
    with export_file(path) as draft, open_text(draft, path) as file:
        for edge in edges:
            rows = [source for source in edge.sources if _is_probe(source)]
            if not rows:
                triple = edge.triple
                raise InputError(
                    f"({triple.head[:80]!r}, {triple.relation}, {triple.tail[:80]!r}) has no sentence of LAMA's; leave "
                    "such edges out with --where"
                )
            file.writelines(f"{row}\n" for row in rows)
            count += 1
    return count


def _is_probe(source: str) -> bool:
    try:
        return "obj_label" in json.loads(source)
    except (TypeError, ValueError):
        return False
