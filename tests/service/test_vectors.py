"""Vectors of the graph: built, served, exported, evaluated, undone."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from starlette.testclient import TestClient

from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.graph.rows import row_of
from kg.model import Edge, Triple
from kg.vectors import evaluating, exporting, kept, retrofitting
from kg.vectors.base import Phrase, open_base
from kg.vectors.building import build, gather, weight_of
from kg.workspace import Workspace
from tests.conftest import Kg

BASE = """5 3
kettle 1 0 0
pot 0 1 0
fridge -1 0 0
Kitchen_Shelf 0 0 1
/c/fr/bouilloire 1 1 0
"""


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "words.txt"
    path.write_text(BASE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def built(api: TestClient, kettles: KnowledgeGraph, words: Path, own: Workspace) -> Iterator[KnowledgeGraph]:  # noqa: ARG001
    build(kettles, own, open_base(str(words), own.folder("embeddings")))
    yield kettles
    for run in kettles.runs():
        if run["kind"] == "vectors":
            kettles.undo(run["id"])


def related(api: TestClient, address: str) -> dict[str, float]:
    answer = api.get(address)
    assert answer.status_code == 200, answer.text
    return {one["@id"]: one["weight"] for one in answer.json()["related"]}


def test_a_sweep_is_the_mean_of_base_vector_and_weighted_neighbours() -> None:
    matrix = retrofitting.neighbours(3, [0, 1, 2, 2], [1, 2, 2, 1], [1.0, 2.0, 9.0, 1.0])
    assert matrix.toarray().tolist() == [[0, 1, 0], [0.25, 0, 0.75], [0, 1, 0]]
    base = np.array([[1, 0], [0, 1], [7, 7]], dtype=np.float32)
    known = np.array([True, True, False])
    once = retrofitting.retrofit(base.copy(), known, matrix, sweeps=1)
    expected = np.array([[0.5, 0.5], [0.125, 0.5], [0, 1]], dtype=np.float32)
    assert np.allclose(once, expected / np.linalg.norm(expected, axis=1, keepdims=True))


def test_a_term_far_from_every_base_vector_has_none_and_one_without_edges_keeps_its_own() -> None:
    matrix = retrofitting.neighbours(4, [0], [1], [1.0])
    base = np.array([[3, 4], [0, 0], [0, 0], [0, 2]], dtype=np.float32)
    found = retrofitting.retrofit(base, np.array([True, False, False, True]), matrix)
    assert np.allclose(found, [[0.6, 0.8], [0.6, 0.8], [0, 0], [0, 1]])


def test_what_all_vectors_have_in_common_is_taken_from_them() -> None:
    base = np.array([[3, 1], [1, 3], [9, 9]], dtype=np.float32)
    retrofitting.centre(base, np.array([True, True, False]))
    assert np.allclose(base[:2], np.array([[1, -1], [-1, 1]]) / np.sqrt(2))
    alone = np.array([[3, 1], [0, 0]], dtype=np.float32)
    retrofitting.centre(alone, np.array([True, False]))
    assert alone.tolist() == [[3, 1], [0, 0]]


def test_columns_do_not_depend_on_one_another() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(30, 70)).astype(np.float32)
    known = rng.random(30) < 0.5
    matrix = retrofitting.neighbours(30, rng.integers(0, 30, 90), rng.integers(0, 30, 90), rng.random(90) + 0.1)  # type: ignore[arg-type]
    dense = matrix.toarray()
    vectors = np.where(known[:, None], base, 0)
    has = dense.sum(axis=1) > 0
    keep = np.where(known, np.where(has, 0.5, 1.0), 0.0)[:, None]
    start = vectors.copy()
    for _ in range(5):
        vectors = (1 - keep) * (dense @ vectors) + keep * start
    assert np.allclose(retrofitting.retrofit(base.copy(), known, matrix), retrofitting.unit(vectors), atol=1e-5)


def edge(relation: str = "IsA", tail: str = "b", **values: object) -> Edge:
    return Edge(Triple("a", relation, tail), "train", ("run",), predicted=False, **values)  # type: ignore[arg-type]


def test_an_edge_weighs_its_score_or_else_its_weight_and_nothing_if_it_was_not_accepted() -> None:
    assert weight_of(row_of(edge(score=0.3, weight=2.0, accepted=True))) == 0.3
    assert weight_of(row_of(edge(weight=2.0))) == 2.0
    assert weight_of(row_of(edge())) == 1.0
    assert weight_of(row_of(edge(score=0.3, accepted=False))) == 0.0
    assert weight_of(row_of(edge(weight=-1.0))) == 0.0


@pytest.mark.parametrize(
    "relation", ["Antonym", "DistinctFrom", "NotIsA", "NotCapableOf", "ObstructedBy", "HinderedBy"]
)
def test_negative_relations_pull_nothing(relation: str) -> None:
    found = gather([[row_of(edge(relation)), row_of(edge("xNeed", "c")), row_of(edge("MadeOf", "d"))]], {"MadeOf"})
    assert [found.phrases[place].text for place in (*found.heads, *found.tails)] == ["a", "c"]
    assert [phrase.text for phrase in found.phrases] == ["a", "b", "c", "d"]
    assert gather([[row_of(edge("oEffect", "none"))]]).phrases == []


def test_terms_with_and_without_a_base_vector_are_near_their_neighbours(built: KnowledgeGraph, api: TestClient) -> None:
    near = related(api, "/related/c/en/kettle")
    assert next(iter(near)) == "/c/en/boiling_water"
    assert near["/c/en/boiling_water"] == pytest.approx(1, abs=0.2)
    assert "/c/en/kettle" not in near
    assert near["/c/en/pot"] > near["/c/en/cup_3"]
    assert "/c/en/Kettle_Creek" not in near  # five edges and more from every base vector
    cups = kept.vectors_of(built, ["cup 3", "CUP 3", "kitchen shelf"], "en")
    assert np.allclose(cups["cup 3"], cups["kitchen shelf"], atol=1e-5)
    assert np.allclose(cups["cup 3"], cups["CUP 3"])


def test_related_takes_filters_limits_and_lists(built: KnowledgeGraph, api: TestClient) -> None:  # noqa: ARG001
    assert list(related(api, "/related/c/en/kettle?filter=/c/fr")) == ["/c/fr/bouilloire"]
    assert len(related(api, "/related/c/en/kettle?limit=2")) == 2
    assert len(related(api, "/related/c/en/kitchen_shelf?limit=5000")) <= 100
    both = related(api, "/related/list/en/kettle,kitchen_shelf@0.1?limit=3")
    assert "/c/en/boiling_water" in both
    turned = related(api, "/related/list/en/kettle@-1?limit=1")
    assert next(iter(turned)) == "/c/en/fridge"
    assert list(related(api, "/related/c/en/cup_3?filter=/c/fr&limit=1")) == ["/c/fr/bouilloire"], "far behind the cups"
    for asked in (
        "/related/c/en", "/relatedness?node1=/c/en&node2=/c/en/pot", "/related/c/en/kettle?filter=fr",
        "/related/list/en/kettle@0",
    ):  # fmt: skip
        assert api.get(asked).status_code == 400, asked
    assert api.get("/related/c/en/valley").status_code == 404
    assert api.get("/related/c/en/no_such_term").status_code == 404
    weight = related(api, "/related/c/en/kettle")["/c/en/pot"]
    answer = api.get("/relatedness?node1=/c/en/kettle&node2=/c/en/pot").json()
    assert answer["value"] == pytest.approx(weight, abs=0.002)
    assert {"@context", "@id", "version"} <= answer.keys()


def test_building_again_changes_nothing_and_other_vectors_take_the_place(
    built: KnowledgeGraph, words: Path, own: Workspace
) -> None:
    first = kept.standing(built)["id"]
    before = {term.id: term.vector for term in kept.terms(built)}
    watermark = built.watermark()
    base = open_base(str(words), own.folder("embeddings"))
    assert build(built, own, base).seconds == {}
    assert built.watermark() == watermark
    other = build(built, own, base, sweeps=0)
    assert other.run != first
    assert built.run(first)["status"] == "undone"
    assert built.undo(first) == 0
    assert len(list(kept.terms(built))) == other.terms == 6  # kettle is two of them
    assert built.undo(other.run) == 6
    assert list(kept.terms(built)) == []
    with pytest.raises(NotReady, match="kg vectors build"):
        kept.standing(built)
    build(built, own, base)
    after = {term.id: term.vector for term in kept.terms(built)}
    assert before == after


def test_a_run_without_its_vectors_as_a_snapshot_brings_it_is_built_again(
    built: KnowledgeGraph, words: Path, own: Workspace
) -> None:
    built.store.run("MATCH (p:Phrase) REMOVE p.vector")
    with pytest.raises(NotReady, match="no vectors"):
        kept.standing(built)
    again = build(built, own, open_base(str(words), own.folder("embeddings")))
    assert again.seconds
    assert kept.standing(built)["id"] == again.run


@pytest.mark.usefixtures("built")
def test_the_commands_build_compare_and_export(words: Path, kg: Kg, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("kettle\tboiling water\t9\nkettle\tpot\t7\nfridge\tpot\t2\nkettle\tfridge\t1\nlid\tpot\t3\n")
    done = kg("vectors", "build", "--base", str(words))
    assert "phrases have vectors of 3 numbers" in done.stdout
    said = json.loads(kg("vectors", "evaluate", str(pairs), "--json").stdout)
    assert (said["pairs"], said["covered"]) == (5, 4)
    assert said["spearman"] > 0.5
    both = kg("vectors", "evaluate", str(pairs), "--base", str(words)).stdout
    assert "base" in both
    assert " 3 " in both  # boiling water has no base vector
    kg("vectors", "export", str(tmp_path / "out.txt"))
    assert (tmp_path / "out.txt").read_text().splitlines()[0].endswith(" 3")
    assert "xNo" in kg("vectors", "build", "--base", str(words), "--without", "xNo", status=1).stderr


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.vec.gz", "vectors.safetensors"])
def test_an_export_is_a_base_again_and_names_the_licence(name: str, built: KnowledgeGraph, tmp_path: Path) -> None:
    path = tmp_path / name
    done = exporting.export(built, path)
    note = json.loads((tmp_path / f"{name}.licence.json").read_text(encoding="utf-8"))
    assert done.licence == note["licence"] == "CC-BY-4.0; cc:by-sa/4.0"
    assert done.terms == note["terms"] == len(list(kept.terms(built)))
    wanted = next(term for term in kept.terms(built) if term.text == "boiling water")
    found, known = open_base(str(path), tmp_path).find([Phrase("boiling water", "en"), Phrase("boiling water", "de")])
    assert known.tolist() == [True, False]
    assert np.allclose(found[0], wanted.vector, atol=1e-5)
    if name.endswith(".safetensors"):
        with safe_open(path, framework="numpy") as file:
            assert file.metadata()["licence"] == done.licence


def test_another_ending_is_refused(built: KnowledgeGraph, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="safetensors"):
        exporting.export(built, tmp_path / "vectors.bin")


@pytest.mark.parametrize(
    "text", ["kettle one two\n", "kettle 1 2\npot 1 2 3\n", "kettle 1 nan\n", "kettle\n", "stone 1 2\n"]
)
def test_base_vectors_that_are_none_are_refused_with_the_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "base.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"line \d|no vector of any"):
        open_base(str(path), tmp_path).find([Phrase("kettle", "en")])
    with pytest.raises(InputError, match="neither a file nor"):
        open_base(str(tmp_path / "absent.txt"), tmp_path)


PAIRS = [
    "kettle\tpot\t9\npot\tlid\t7\nlid\tcloud\t1\nkettle\tcloud\t2\n",
    "Word 1,Word 2,Mean\nkettle,pot,9\npot,lid,7\nlid,cloud,1\nkettle,cloud,2\n",
    "kettle pot 9\npot lid 7\nlid cloud 1\nkettle cloud 2\n",
]


@pytest.mark.parametrize("text", PAIRS)
def test_a_correlation_is_of_the_pairs_that_both_cover(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    pairs = evaluating.read_pairs(path)
    vectors = {"kettle": np.array([1, 0.2]), "pot": np.array([1, 0.1]), "lid": np.array([1, 0.5]),
               "cloud": np.array([-1, 1.0])}  # fmt: skip
    found = evaluating.correlate(pairs, vectors)  # type: ignore[arg-type]
    assert (found.pairs, found.covered, found.coverage) == (4, 4, 1.0)
    assert found.spearman == pytest.approx(0.8)
    part = evaluating.correlate(pairs, vectors, lambda word: word != "lid")  # type: ignore[arg-type]
    assert (part.pairs, part.covered, part.spearman) == (4, 2, None)


@pytest.mark.parametrize("text", ["kettle\tpot\n", "a\tb\t1\nkettle\tpot\tnear\n", "", "kettle\tpot\tinf\n"])
def test_a_file_that_has_no_pairs_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"not two words and a number|no pairs"):
        evaluating.read_pairs(path)


def test_a_term_of_a_base_may_have_blanks(tmp_path: Path, own: Workspace) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("kettle 1 0\nat name@domain.com 0 1\n", encoding="utf-8")
    found, known = open_base(str(path), own.folder("embeddings")).find(
        [Phrase("kettle", "en"), Phrase("at name@domain.com", "en"), Phrase("pot", "en")]
    )
    assert known.tolist() == [True, True, False]
    assert found.tolist() == [[1, 0], [0, 1], [0, 0]]


def test_words_that_only_a_vowel_sign_tells_apart_have_vectors_of_their_own(tmp_path: Path, own: Workspace) -> None:
    path = tmp_path / "hindi.txt"
    path.write_text("/c/hi/कील 1 0\n/c/hi/समय 0 1\n", encoding="utf-8")
    _, known = open_base(str(path), own.folder("embeddings")).find([Phrase("काल", "hi"), Phrase("समय", "hi")])
    assert known.tolist() == [False, True]
