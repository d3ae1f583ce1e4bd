"""Triples alone, a line each: `head TAB relation TAB tail` as ATOMIC-2020, or the relation first as ConceptNet 100K.

There is no header and no quoting: quotation marks are ordinary characters (read it with `csv.QUOTE_NONE`). `none` is
kept. The form has no escape for a tab or a line break, so that a text with one cannot be written in it.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from kg.errors import InputError
from kg.exchange.target import export_file, open_text
from kg.model import Edge, Triple

BREAK = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")  # a tab, and all that `str.splitlines` takes for an end


def write_tsv(edges: Iterable[Edge], path: Path, *, relation_first: bool = False) -> int:
    """Write triples, and nothing else.

    Args:
        edges: what to write, in this order.
        path: file to make; an older one is replaced.
        relation_first: write relation, head, tail.

    Returns:
        The number of triples written.

    Raises:
        InputError: some texts have a tab or a line break, or the file cannot be written. All edges are
            looked at, so that the message can say how many there are; no file is made.
    """
    count = unfit = 0
    first_unfit: Triple | None = None
    with export_file(path) as draft:
        with open_text(draft, path) as file:
            for edge in edges:
                triple = edge.triple
                count += 1
                if BREAK.search(triple.head) or BREAK.search(triple.tail):
                    unfit += 1
                    first_unfit = first_unfit or triple
                elif not unfit:
                    ends = (triple.relation, triple.head) if relation_first else (triple.head, triple.relation)
                    file.write(f"{ends[0]}\t{ends[1]}\t{triple.tail}\n")
        if first_unfit:
            raise InputError(
                f"{unfit:,} of {count:,} triples have a tab or line break, which TSV cannot hold; the first "
                f"is ({first_unfit.head[:80]!r}, {first_unfit.relation}, {first_unfit.tail[:80]!r}); "
                "export jsonl or parquet, or leave them out"
            )
    return count
