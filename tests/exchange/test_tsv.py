import re
from dataclasses import replace
from pathlib import Path

import pytest

from kg.errors import InputError
from kg.exchange.tsv import write_tsv
from kg.model import Edge, Triple


def test_a_line_has_head_relation_and_tail(edges: list[Edge], folder: Path) -> None:
    assert write_tsv(edges, folder / "graph.tsv") == 5
    assert (folder / "graph.tsv").read_bytes().decode().split("\n") == [
        "PersonX lends PersonY an umbrella\txWant\tto stay dry",
        "PersonX lends PersonY an umbrella\txEffect\tto stay dry",
        "PersonX lends PersonY an umbrella\toEffect\tnone",
        "to stay dry\txNeed\tnone",
        "傘\tIsA\t雨具",
        "",
    ]


@pytest.mark.parametrize("mark", "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029")
def test_a_text_that_would_break_a_row_is_refused(edges: list[Edge], folder: Path, mark: str) -> None:
    path = folder / "graph.tsv"
    broken = replace(edges[0], triple=Triple("PersonX sings", "xWant", f"to rest{mark}"))
    also_broken = replace(edges[0], triple=Triple(f"{mark}PersonX", "xWant", "to rest"))
    with pytest.raises(InputError, match=r"2 of 7 triples .* \('PersonX sings', xWant, 'to rest\\.+ export jsonl"):
        write_tsv([*edges[:2], broken, also_broken, *edges[2:]], path)
    assert list(folder.iterdir()) == []


def test_a_long_text_is_cut_in_the_message(edges: list[Edge], folder: Path) -> None:
    broken = replace(edges[0], triple=Triple("a\n" * 5_000, "xWant", "to rest"))
    with pytest.raises(InputError, match=re.escape("export jsonl or parquet")) as caught:
        write_tsv([broken], folder / "graph.tsv")
    assert len(str(caught.value)) < 400
