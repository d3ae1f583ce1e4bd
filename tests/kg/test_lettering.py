"""Texts in pictures: right to left, mixed, and of letters that are twice as wide."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.cells import cell_len

from kg.exchange.svg import write_svg
from kg.lettering import apart, cut, folded
from kg.model import Edge, Triple
from kg.web.picture import Tie, draw

HEBREW, ARABIC, JAPANESE = "PersonX קונה 3 לחמים", "يشتري PersonX 12 كتابا", "Xが電車に傘を忘れて駅の窓口に問い合わせる"


def elements(file: Path) -> list[ET.Element]:
    return [*ET.fromstring(file.read_text(encoding="utf-8")).iter()]  # noqa: S314 - what we wrote ourselves


def texts_of(file: Path) -> list[ET.Element]:
    return [one for one in elements(file) if one.tag.endswith("}text")]


def edge(head: str, tail: str, lang: str, score: float) -> Edge:
    return Edge(Triple(head, "xEffect", tail, lang), "train", ("load-1",), predicted=False, score=score)


def test_a_number_behind_a_text_from_right_to_left_stays_behind_it(tmp_path: Path) -> None:
    edges = [
        edge(HEBREW, "שמח 5", "he", 0.53),
        edge(ARABIC, "سعيد", "ar", 0.25),
        edge("PersonX naps", "rested", "en", 1),
    ]
    write_svg(edges, tmp_path / "graph.svg")
    texts = {text.text or "": "".join(text.itertext()) for text in texts_of(tmp_path / "graph.svg")}
    assert texts["\u2067שמח 5\u2069"] == "\u2067שמח 5\u20690.53", "the score is outside of what is apart"
    assert "\u2067سعيد\u2069" in texts
    assert {"rested", "PersonX naps", "xEffect"} <= set(texts)
    assert f"\u2067{HEBREW}\u2069" in texts, "it runs from right to left, though it begins with a placeholder"
    assert sum(text.count("\u2067") for text in texts) == sum(text.count("\u2069") for text in texts)


def test_a_picture_is_as_wide_as_its_letters(tmp_path: Path) -> None:
    for name, tail in (("narrow", "a" * 20), ("wide", "あ" * 20)):
        write_svg([edge(JAPANESE, tail, "ja", 0.5)], tmp_path / name)
    widths = [float(elements(tmp_path / name)[0].attrib["width"]) for name in ("narrow", "wide")]
    assert widths[1] - widths[0] == pytest.approx(20 * 7.6, abs=1)
    lines = [text.text or "" for text in texts_of(tmp_path / "wide") if text.get("class") == "head"]
    assert "".join(lines) == JAPANESE
    assert max(map(cell_len, lines)) <= 24


def test_a_neighbourhood_keeps_wide_texts_in_their_columns() -> None:
    ties = [Tie("a", "b", "あ" * 60, "xEffect", is_out=True, accepted=None)]
    middle, other = draw("a", JAPANESE, ties, []).places
    assert "".join(middle.lines) == JAPANESE
    assert max(map(cell_len, middle.lines)) <= 24
    assert cell_len(other.lines[0]) + len(other.says) <= 44
    assert other.lines[0].endswith("…")


@pytest.mark.parametrize("text", [HEBREW, ARABIC, "שלום", "naïve نعم"])
def test_only_what_runs_from_right_to_left_is_put_apart(text: str) -> None:
    mark = "\u2066" if text.startswith("na") else "\u2067"  # of its first letter, placeholders apart
    assert apart(text) == f"{mark}{text}\u2069"
    assert apart(JAPANESE) == JAPANESE


@pytest.mark.parametrize(("text", "lines"), [
    ("a b", ["a b"]),
    ("aaaa bbbb cccc", ["aaaa bbbb", "cccc"]),
    ("aaaaaaaaaaaaaa", ["aaaaaaaaaa", "aaaa"]),
    ("ああああああ", ["あああああ", "あ"]),
    ("  ", ["  "]),
])  # fmt: skip
def test_lines_break_where_their_script_lets_them(text: str, lines: list[str]) -> None:
    assert folded(text, 10) == lines
    assert cell_len(cut(text, 5)) <= 5
