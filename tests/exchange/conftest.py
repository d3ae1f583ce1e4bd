from pathlib import Path

import pytest

from kg.model import Edge, Phrase, Triple


@pytest.fixture
def edges() -> list[Edge]:
    lends = "PersonX lends PersonY an umbrella"
    return [
        Edge(
            Triple(lends, "xWant", "to stay dry"),
            "train",
            ("teacher-1", "student-1"),
            predicted=False,
            logprob=-0.25,
            score=0.75,
            critic="critic-1",
            accepted=True,
        ),
        Edge(Triple(lends, "xEffect", "to stay dry"), "train", ("student-1",), predicted=True),
        Edge(Triple(lends, "oEffect", "none"), "train", ("teacher-1",), predicted=False),
        Edge(Triple("to stay dry", "xNeed", "none"), "validation", ("teacher-1",), predicted=False),
        Edge(
            Triple("傘", "IsA", "雨具", "ja"),
            "test",
            ("conceptnet",),
            predicted=False,
            weight=2.0,
            sources=("/s/contributor/a", "/s/contributor/b"),
        ),
    ]


@pytest.fixture
def phrases() -> list[Phrase]:
    return [
        Phrase("PersonX lends PersonY an umbrella", "en", ("Event",), "train"),
        Phrase("to stay dry", "en", ("Event", "Inference"), "validation"),
        Phrase("傘", "ja", ("Concept", "Event"), "test"),
        Phrase("雨具", "ja", ("Concept", "Inference")),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name has a space, and that does not exist yet."""
    return tmp_path / "my exports"
