"""Judgements in the files of annotation tools, in and out."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critic.judgements import export_judgements, import_judgements, read_judgements, write_judgements
from critic.judging import VERDICTS
from critic.labelling import ARGILLA, FORMATS, LABEL_STUDIO, SKD, guess_labelling, read_labelling, write_labelling
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.lines import Rejected
from kg.model import JUDGEMENT_VALUES, Judgement, Triple, clean_text, consensus
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace

SKD_WORDS = Vocabulary.load("skd")
NAPS = Triple("PersonX naps", "xWant", "to rest")
OTHER = Triple("PersonX <naps>", "xReact", '"rested"\u202e', "ja", "en", "/c/ja/x/n", "/c/en/rested/a/wn")
SAID = [Judgement(NAPS, "ann@example.org", 2), Judgement(NAPS, "7", -9), Judgement(OTHER, "ann@example.org", -1)]


def there_and_back(judgements: list[Judgement], path: Path, format_name: str) -> list[Judgement | Rejected]:
    assert write_labelling(judgements, path, format_name, SKD_WORDS) == len(judgements)
    return list(read_labelling(path, format_name, SKD_WORDS, "en"))


@pytest.mark.parametrize("format_name", [LABEL_STUDIO, ARGILLA])
@pytest.mark.parametrize("name", ["said.json", "said.json.gz"])
def test_what_was_written_is_read_again(tmp_path: Path, format_name: str, name: str) -> None:
    assert there_and_back(SAID, tmp_path / name, format_name) == sorted(SAID, key=lambda one: one.triple)
    raw = (tmp_path / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    first = "".join(text.splitlines()[:2])
    assert guess_labelling(first) == format_name
    (tmp_path / "pretty.json").write_text(json.dumps(json.loads(text), indent=2))
    assert len(list(read_labelling(tmp_path / "pretty.json", LABEL_STUDIO, SKD_WORDS, "en"))) == len(SAID)


texts = st.text(min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(texts, texts, texts, st.sampled_from(JUDGEMENT_VALUES)), max_size=6),
    st.sampled_from(FORMATS[:2]),
)
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, int]], format_name: str
) -> None:
    judgements = {}
    for head, tail, name, value in rows:
        try:
            triple, who = Triple(clean_text(head), "xWant", clean_text(tail)), clean_text(name)
        except InputError:
            continue
        if not triple.says_nothing:
            judgements[triple, who] = Judgement(triple, who, value)
    found = there_and_back(list(judgements.values()), tmp_path_factory.mktemp("f") / "f", format_name)
    assert {(one.triple, one.annotator): one for one in found if isinstance(one, Judgement)} == judgements


def test_skd_has_the_consensus_of_a_triple_and_what_nobody_judged_is_no_judgement(tmp_path: Path) -> None:
    path = tmp_path / "skd.jsonl"
    assert write_labelling(SAID, path, SKD, SKD_WORDS) == 2
    with path.open("a") as file:
        file.write('{"head": "a", "relation": "xWant", "tail": "b", "valid": null}\n')
    assert guess_labelling(path.read_text().splitlines()[0]) == SKD
    found = list(read_labelling(path, SKD, SKD_WORDS, "en"))
    assert found[1] == Judgement(NAPS, "skd", consensus([2, -9]))
    assert len(found) == 2


def test_label_studio_names_annotators_in_any_way_and_the_last_annotation_counts(tmp_path: Path) -> None:
    def said(who: object, words: str, **more: object) -> dict[str, object]:
        result = {"type": "choices", "from_name": "verdict", "value": {"choices": [words]}}
        return {"completed_by": who, "result": [result, {"type": "textarea", "from_name": "note"}], **more}

    words = [verdict.words for verdict in VERDICTS]
    annotations = [
        said(3, words[0]), said({"id": 4, "email": "b@example.org"}, words[1]), said("c", words[2]), said(3, "-2"),
        said("d", words[0], was_cancelled=True),
    ]  # fmt: skip
    data = {"head": NAPS.head, "relation": NAPS.relation, "tail": NAPS.tail}
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"id": 1, "data": data, "annotations": annotations}, {"id": 2, "data": data}]))
    found = list(read_labelling(path, LABEL_STUDIO, SKD_WORDS, "en"))
    assert found == [Judgement(NAPS, "3", -2), Judgement(NAPS, "b@example.org", 1), Judgement(NAPS, "c", -1)]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (3, "not a JSON object"),
        ({"fields": {"head": "a", "relation": "xWant"},
          "responses": {"verdict": [{"value": "2", "user_id": "u"}]}}, "tail"),
        ({"fields": {"head": "a", "relation": "xWand", "tail": "b"},
          "responses": {"verdict": [{"value": "2", "user_id": "u"}]}}, "did you mean xWant"),
        ({"fields": {"head": "a", "relation": "xWant", "tail": "b"},
          "responses": {"verdict": [{"value": "good", "user_id": "u"}]}}, "verdict 'good' is not one of"),
        ({"fields": {"head": "a", "relation": "xWant", "tail": "b"},
          "responses": {"verdict": [{"value": True, "user_id": "u"}]}}, "verdict 'True' is not one of"),
        ({"fields": {"head": "a", "relation": "xWant", "tail": "b"},
          "responses": {"verdict": [{"value": "2"}]}}, "nobody"),
        ({"fields": {"head": "a", "relation": "xWant", "tail": "none"},
          "responses": {"verdict": [{"value": "2", "user_id": "u"}]}}, "no effect"),
        ({"fields": {"head": "a", "relation": "xWant", "tail": "b"}, "responses": {"verdict": 7}}, "another kind"),
        ({"data": {}, "annotations": [7]}, "another kind"),
    ],
)  # fmt: skip
def test_a_task_that_is_none_is_rejected_and_the_others_are_read(tmp_path: Path, task: object, reason: str) -> None:
    good = {
        "fields": {"head": "a", "relation": "xWant", "tail": "b"},
        "responses": {"verdict": [{"value": 1, "user_id": 1}]},
    }
    path = tmp_path / "f.json"
    path.write_text(json.dumps([task, good]))
    rejected, read = read_labelling(path, ARGILLA, SKD_WORDS, "en")
    assert isinstance(rejected, Rejected)
    assert reason in rejected.reason
    assert read == Judgement(Triple("a", "xWant", "b"), "1", 1)


@pytest.mark.parametrize("content", [b'{"a": 1', b"[1e999]", b"[" * 100_000, b'["\xff"]', b"\x1f\x8bno gzip"])
def test_a_file_that_is_no_list_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"f\.json"):
        list(read_labelling(path, LABEL_STUDIO, SKD_WORDS, "en"))


def test_our_tsv_keeps_languages_and_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "said.tsv"
    assert write_judgements(SAID, path) == 3
    assert list(read_judgements(path, SKD_WORDS)) == SAID
    write_judgements(SAID[:2], path)
    assert path.read_text().splitlines()[0] == "head\trelation\ttail\tannotator\tvalue"
    with pytest.raises(InputError, match="tab or line break"):
        write_judgements([Judgement(Triple("a\tb", "xWant", "c"), "ann", 1)], path)


def test_every_format_goes_out_of_the_graph_and_into_it(
    graph: KnowledgeGraph, workspace: Workspace, tmp_path: Path
) -> None:
    source = tmp_path / "said.tsv"
    write_judgements(SAID, source)
    import_judgements(graph, workspace, source)
    for format_name in ("tsv", LABEL_STUDIO, ARGILLA, SKD):
        path = tmp_path / f"{format_name}.out"
        export_judgements(graph, path, format_name)
        found = import_judgements(graph, workspace, path)
        new = 2 if format_name == SKD else 0  # its one annotator
        assert (found.rejected, found.added) == (0, new)
