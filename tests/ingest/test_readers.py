"""Files of every format, good and bad."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from ingest.cleaning import clean_tails
from ingest.readers.completions import read_completions
from kg.errors import InputError
from kg.exchange.formats import guess_format, readable, reading
from kg.exchange.kgtk import write_kgtk
from kg.exchange.kgx import read_kgx, write_kgx
from kg.exchange.lama import write_lama
from kg.identity import head_id, tail_id, triple_id
from kg.lines import Rejected, read_lines
from kg.model import Assertion, Edge, Phrase, Triple
from kg.vocabulary import Vocabulary


def read(path: Path, content: bytes, format_name: str) -> tuple[list[Assertion], list[Rejected]]:
    path.write_bytes(content)
    given = reading(format_name)
    vocabulary = Vocabulary.load(given.vocabulary)
    rows = list(given(path=path, lines=read_lines(path), vocabulary=vocabulary, lang=given.lang, dropped=Counter()))
    return [row for row in rows if isinstance(row, Assertion)], [row for row in rows if isinstance(row, Rejected)]


def test_skd_rows_bring_split_and_score(tmp_path: Path) -> None:
    row = {"head": "PersonX naps", "relation": "xWant", "tail": "to rest", "inference": "to rest", "split": "val",
           "rec_0.5": True, "p_valid_model": 0.75, "valid": None}  # fmt: skip
    good, bad = read(tmp_path / "f", json.dumps(row).encode(), "skd")
    assert good == [
        Assertion(
            Triple("PersonX naps", "xWant", "to rest"), split="validation", details='{"rec_0.5": true}', score=0.75
        )
    ]
    assert bad == []


def test_atomic2020_rows_are_three_columns(tmp_path: Path) -> None:
    good, bad = read(tmp_path / "f", b"PersonX naps\txWant\tto rest .\nPersonX naps\toReact\tnone\n", "atomic2020")
    assert [row.triple.tail for row in good] == ["to rest .", "none"]
    assert bad == []


def test_atomic2019_rows_hold_lists(tmp_path: Path) -> None:
    content = (
        b'event,oReact,xWant,prefix,split\n'
        b'PersonX naps,"[""none""]","[""to rest"", ""to dream""]","[""naps""]",tst\n'
        b'PersonX naps,"[""none""","[]","[]",tst\n'
        b'"PersonX naps,[],[],[],tst\n'
        b'PersonX wakes,[],"[""nan""]",[],trn\n'
    )  # fmt: skip
    good, bad = read(tmp_path / "f", content, "atomic2019")
    assert [(row.triple.relation, row.triple.tail, row.split) for row in good] == [
        ("oReact", "none", "test"), ("xWant", "to rest", "test"), ("xWant", "to dream", "test"),
        ("xWant", "nan", "train"),
    ]  # fmt: skip
    assert [row.line for row in bad] == [3, 4]


def test_completions_are_cleaned_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "f"
    row = {"event": "PersonX calls PersonY", "relation": "xWant", "names": {"Alex": "PersonX", "Chris": "PersonY"},
           "tails": ["to thank Chris.", " to thank Chris", "no", "to read Christmas cards to Alexander"]}  # fmt: skip
    path.write_text(json.dumps(row))
    dropped: Counter[str] = Counter()
    rows = list(read_completions(read_lines(path), Vocabulary.load("skd"), "en", dropped))
    assert [row.triple.tail for row in rows if isinstance(row, Assertion)] == [
        "to thank PersonY", "to read Christmas cards to Alexander",
    ]  # fmt: skip
    assert dropped == {"duplicate": 1, "too short": 1}


def test_a_tails_log_probability_goes_with_it_and_of_equal_tails_the_first_ones_counts(tmp_path: Path) -> None:
    row = {"event": "PersonX naps", "relation": "xWant", "names": {"Alex": "PersonX"},
           "tails": ["no", "to thank Alex.", "to thank Alex", "to dream", "to rest"],
           "logprobs": [-9, -1.5, -0.5, None, 0]}  # fmt: skip
    good, bad = read(tmp_path / "f", json.dumps(row).encode(), "completions")
    assert bad == []
    assert [(one.triple.tail, one.logprob) for one in good] == [
        ("to thank PersonX", -1.5), ("to dream", None), ("to rest", 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize(("logprobs", "reason"), [
    ("[-1]", "as many numbers as there are tails, 2"),
    ("[-1, -1, -1]", "as many numbers as there are tails, 2"),
    ("-1", "must be a list"),
    ('{"to rest": -1}', "must be a list"),
    ("[-1, 0.5]", "0.5 is above 0"),
    ('[-1, "likely"]', "'likely' is not a number"),
    ("[-1, true]", "True is not a number"),
    ("[-1, [2]]", "is not a number"),
    ("[-1, NaN]", "not valid JSON"),
    ("[-1, -1e999]", "not valid JSON"),
])  # fmt: skip
def test_log_probabilities_that_cannot_be_are_named(tmp_path: Path, logprobs: str, reason: str) -> None:
    line = f'{{"event": "PersonX naps", "relation": "xWant", "tails": ["to rest", "to eat"], "logprobs": {logprobs}}}'
    good, bad = read(tmp_path / "f", line.encode(), "completions")
    assert good == []
    assert reason in bad[0].reason


def test_short_japanese_tails_are_no_short_tails() -> None:
    cleaned = clean_tails(["暇だ。", "a."])
    assert (list(cleaned.kept), cleaned.rules) == (["暇だ"], Counter({"too short": 1}))


GOOD = b"PersonX naps\txWant\tto rest\n"


@pytest.mark.parametrize(("line", "reason"), [
    (b"PersonX naps\txWant\n", "2 columns where 3"),
    (b"PersonX naps\txWant\tto rest\tmore\n", "4 columns where 3"),
    (b"PersonX naps\txwant\tto rest\n", "did you mean xWant"),
    (b"PersonX naps\txWant\t \n", "tail: the text is empty"),
    (b"\txWant\tto rest\n", "head: the text is empty"),
    (b"PersonX naps\txWant\t\xff\xfe\n", "invalid UTF-8 at byte 20"),
    (b"PersonX naps\txWant\tto \x00rest\n", "NUL"),
    (b"PersonX naps\txWant\t" + b"x" * 1_000_000 + b"\n", "longer than 512 kB"),
    (b"PersonX naps\txWant\t" + b"x" * 20_000 + b"\n", "20,000 bytes"),
    (b"PersonX naps\tx`Want]->() DELETE r //\tto rest\n", "is not in vocabulary"),
])  # fmt: skip
def test_a_bad_row_is_named_and_its_neighbours_are_kept(tmp_path: Path, line: bytes, reason: str) -> None:
    good, bad = read(tmp_path / "f", GOOD + line + b"\r\n" + GOOD, "atomic2020")
    assert len(good) == 2
    assert [(row.line, reason in row.reason) for row in bad] == [(2, True)], bad
    assert len(bad[0].text) <= 1000 or "bytes" in reason


@pytest.mark.parametrize(("line", "reason"), [
    ('{"event": "PersonX naps", "relation": "xWant", "tails": ["to rest"]', "not valid JSON"),
    ("[" * 100_000, "not valid JSON"),
    ("[1]", "not a JSON object"),
    ('{"relation": "xWant", "tails": ["to rest"]}', "event is missing"),
    ('{"event": "PersonX naps", "relation": "xWant", "tails": "to rest"}', "list of texts"),
    ('{"event": "PersonX naps", "relation": "xWant", "tails": []}', "no tail"),
    ('{"event": "PersonX \\ud800 naps", "relation": "xWant", "tails": ["to rest"]}', "lone surrogate"),
    ('{"event": "PersonX \\u0000 naps", "relation": "xWant", "tails": ["to rest"]}', "NUL"),
    ('{"event": "PersonX naps", "relation": "xWant", "tails": ["to rest"], "names": {"Al": 3}}', "names must"),
])  # fmt: skip
def test_a_bad_completion_is_named(tmp_path: Path, line: str, reason: str) -> None:
    good, bad = read(tmp_path / "f", line.encode(), "completions")
    assert good == []
    assert reason in bad[0].reason


@pytest.mark.parametrize("value", ['"0.5"', "1.5", "-1", "NaN", "true"])
def test_a_score_outside_its_range_is_named(tmp_path: Path, value: str) -> None:
    row = f'{{"head": "PersonX naps", "relation": "xWant", "tail": "to rest", "p_valid_model": {value}}}'
    _, bad = read(tmp_path / "f", row.encode(), "skd")
    assert "p_valid_model" in bad[0].reason or "NaN is not a number" in bad[0].reason


def test_a_byte_order_mark_and_windows_line_ends_are_taken_off(tmp_path: Path) -> None:
    good, bad = read(tmp_path / "f", b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n"), "atomic2020")
    assert good == [Assertion(Triple("PersonX naps", "xWant", "to rest"))]
    assert bad == []


PHALM = {
    "event": "Xが昼寝する",
    "inference": {
        "event": {"before": ["Xが疲れる"], "after": ["Xが起きる"]},
        "mental_state": {"before": ["眠い"], "after": ["すっきりする"]},
    },
}


def test_phalm_rows_are_events_and_mental_states_before_and_after(tmp_path: Path) -> None:
    wrong = {"event": "Xが昼寝する", "inference": {"event": {"before": "Xが疲れる"}}}
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in (PHALM, wrong, {"event": "x"})).encode()
    good, bad = read(tmp_path / "f", content, "phalm")
    assert [(row.triple.relation, row.triple.tail, row.triple.lang) for row in good] == [
        ("xNeed", "Xが疲れる", "ja"),
        ("xEffect", "Xが起きる", "ja"),
        ("xIntent", "眠い", "ja"),
        ("xReact", "すっきりする", "ja"),
    ]
    assert [row.line for row in bad] == [2, 3]


LINES = {
    "skd": json.dumps({"head": "a", "relation": "xWant", "tail": "b"}),
    "atomic2020": "PersonX naps\txWant\tto rest",
    "atomic2019": "event,xWant,prefix,split",
    "completions": json.dumps({"event": "a", "relation": "xWant", "tails": []}),
    "phalm": json.dumps(PHALM),
    "conceptnet": "/a/[/r/IsA/,/c/en/cat/,/c/en/animal/]\t/r/IsA\t/c/en/cat\t/c/en/animal\t{}",
    "cn100k": "IsA\tcat\tanimal",
    "kgtk": "id\tnode1\trelation\tnode2\tnode1;label",
    "lama": json.dumps({"sub_label": "Squad", "obj_label": "gold", "masked_sentences": []}),
    "kgx": json.dumps({"id": "e", "subject": "a", "predicate": "kg:xWant", "object": "b"}),
}


@pytest.mark.parametrize("format_name", [name for name, read in readable().items() if read.looks_like])
def test_a_format_is_told_by_its_first_line(tmp_path: Path, format_name: str) -> None:
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbf\n" + LINES[format_name].encode() + b"\r\n")
    assert guess_format(tmp_path / "f") == format_name


@pytest.mark.parametrize("content", [b"", b"PersonX naps;xWant;to rest", b'{"a": 1}', b"\xff\n"])
def test_what_looks_like_no_format_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError, match="looks like none of skd, atomic2020"):
        guess_format(tmp_path / "f")


def test_a_packed_file_is_read_and_one_that_was_cut_short_is_named(tmp_path: Path) -> None:
    rows = b"".join(b"PersonX counts to %d\txWant\tto rest\n" % number for number in range(5000))
    packed = gzip.compress(rows, mtime=0)
    good, bad = read(tmp_path / "f", packed, "atomic2020")
    assert (len(good), bad) == (5000, [])
    good, bad = read(tmp_path / "f", packed[: len(packed) // 2], "atomic2020")
    assert 0 < len(good) < 5000
    assert [row.line for row in bad] == [len(good) + 1]
    assert "cut short" in bad[0].reason
    assert guess_format(tmp_path / "f") == "atomic2020"


CAT = "/a/[/r/IsA/,/c/en/cat/,/c/en/animal/]\t/r/IsA\t/c/en/cat\t/c/en/animal\t"


def test_conceptnet_rows_keep_weight_sources_and_all_else(tmp_path: Path) -> None:
    said = {"dataset": "/d/conceptnet/4/en", "license": "cc:by/4.0", "sources": [{"contributor": "/s/a"}],
            "surfaceText": "[[a cat]] is [[an animal]]", "weight": 2}  # fmt: skip
    good, bad = read(tmp_path / "f", f"{CAT}{json.dumps(said)}".encode(), "conceptnet")
    assert bad == []
    assert good[0].triple == Triple("cat", "IsA", "animal")
    assert (good[0].weight, good[0].sources) == (2.0, ('{"contributor": "/s/a"}',))
    kept = {"dataset": "/d/conceptnet/4/en", "license": "cc:by/4.0", "surfaceText": "[[a cat]] is [[an animal]]"}
    assert json.loads(good[0].details or "") == kept


@pytest.mark.parametrize(
    ("relation", "start", "end", "triple"),
    [
        ("/r/Synonym", "/c/fr/chat/n", "/c/en/cat", Triple("chat", "Synonym", "cat", "fr", "en", "/c/fr/chat/n")),
        ("/r/IsA", "/c/en/none", "/c/en/none", Triple("none", "IsA", "none", "en", "", "/c/en/none", "/c/en/none")),
        ("/r/dbpedia/genre", "/c/en/a_b", "/c/en/c", Triple("a b", "dbpedia_genre", "c")),
        ("/r/ExternalURL", "/c/en/a", "http://e.org/a_b",
         Triple("a", "ExternalURL", "http://e.org/a_b", "en", "und", "", "http://e.org/a_b")),
    ],
)  # fmt: skip
def test_conceptnet_uris_become_phrases(tmp_path: Path, relation: str, start: str, end: str, triple: Triple) -> None:
    good, bad = read(tmp_path / "f", f"x\t{relation}\t{start}\t{end}\t{{}}".encode(), "conceptnet")
    assert bad == []
    assert good[0].triple == triple
    assert not triple.says_nothing


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("/a/[]\t/r/IsA\t/c/en/cat", "3 columns where 5"),
        (f"{CAT}no JSON", "not valid JSON"),
        (f'{CAT}{{"weight": "1"}}', "weight '1' is not a number"),
        (CAT.replace("/c/en/cat\t", "cat\t") + "{}", "start 'cat' is not a URI"),
        (CAT.replace("/r/IsA\t", "/r/IsAn\t") + "{}", "did you mean IsA"),
    ],
)
def test_conceptnet_rows_that_are_none_are_named(tmp_path: Path, row: str, reason: str) -> None:
    good, bad = read(tmp_path / "f", row.encode(), "conceptnet")
    assert good == []
    assert reason in bad[0].reason


CSKG = (
    "id\tnode1\trelation\tnode2\tnode1;label\tnode2;label\trelation;label\trelation;dimension\tsource\tsentence\n"
    "e1\t/c/en/0/n\t/r/IsA\t/c/en/digit\t0|zero\tdigit\tis a\ttaxonomic\tCN\t[[0]] is a digit\n"
    "e2\tat:personx_naps\tat:xWant\tat:to_rest\tPersonX naps\tto rest\tx wants\t\tAT\t\n"
    "e3\tQ1\tmw:MayHaveProperty\tQ2\tx\n"
)


def test_cskg_rows_keep_what_every_column_says(tmp_path: Path) -> None:
    good, bad = read(tmp_path / "f", CSKG.encode(), "kgtk")
    assert [row.triple for row in good] == [
        Triple("0", "IsA", "digit", "en", "", "/c/en/0/n", ""),
        Triple("PersonX naps", "xWant", "to rest", "en", "", "at:personx_naps", "at:to_rest"),
    ]
    assert "5 columns where the header has 10" in bad[0].reason
    edges = [
        Edge(row.triple, "train", ("run",), predicted=False, weight=row.weight, details=row.details) for row in good
    ]
    write_kgtk(edges, tmp_path / "out", relations=Vocabulary.load("cskg"))
    written = (tmp_path / "out").read_text().splitlines()
    assert {line.removesuffix("\t") for line in written[1:]} == set(CSKG.splitlines()[1:3])


def kgx_rows(folder: Path, nodes: list[object], edges: list[object]) -> list[Assertion | Rejected]:
    for name, rows in (("g_nodes.jsonl", nodes), ("g_edges.jsonl", edges)):
        (folder / name).write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return list(read_kgx(folder / "g_edges.jsonl", Vocabulary.load("skd"), "en"))


NAPS, REST = {"id": "X:1", "name": "PersonX naps"}, {"id": "X:2", "name": "to rest"}
WANTS = {"id": "e", "subject": "X:1", "predicate": "biolink:xWant", "object": "X:2"}


def test_kgx_edges_find_their_nodes_beside_them(tmp_path: Path) -> None:
    good, bad = kgx_rows(tmp_path, [NAPS, REST], [WANTS | {"pubs": 3}, WANTS | {"object": "X:3"}])
    assert isinstance(good, Assertion)
    assert good.triple == Triple("PersonX naps", "xWant", "to rest", "en", "", "X:1", "X:2")
    assert json.loads(good.details or "") == {"kgx": {"id": "e", "predicate": "biolink:xWant", "pubs": 3}}
    assert isinstance(bad, Rejected)
    assert "'X:3' is not in the file of nodes" in bad.reason
    with pytest.raises(InputError, match=r"other_nodes\.jsonl"):
        list(read_kgx(tmp_path / "other_edges.jsonl", Vocabulary.load("skd"), "en"))


def test_a_bad_kgx_node_is_named_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    nodes = [NAPS, "no JSON", REST, {"id": "X:3", "name": " "}, REST | {"name": "to sleep"}]
    rows = kgx_rows(tmp_path, nodes, [WANTS, WANTS | {"object": "X:3"}])
    assert [row.triple.tail for row in rows if isinstance(row, Assertion)] == ["to rest"]
    bad = [row for row in rows if isinstance(row, Rejected)]
    assert [row.line for row in bad] == [2, 4, 5, 2]
    assert all("g_nodes.jsonl" in row.reason for row in bad[:3])
    assert "twice" in bad[2].reason


OTHERS_NODES = [
    NAPS | {"category": ["biolink:Event"], "xref": ["Y:1"], "provided_by": "them", "lang": "en", "uri": "x"},
    {"id": "X:2", "category": "biolink:Thing", "score": 7},
]
OTHERS_EDGES = [
    WANTS | {
        "sources": [{"resource_id": "infores:a", "resource_role": "primary_knowledge_source"}], "score": 7, "split": 5,
        "knowledge_level": "observation", "agent_type": "text_mining_agent", "publications": ["PMID:1"],
        "qualifiers": {"a": [1.5, None]}, "weight": "heavy", "runs": 3, "details": {"b": True}, "predicted": "no",
        "accepted": None, "logprob": [],
    },
]  # fmt: skip


def test_what_others_say_in_kgx_comes_out_as_it_went_in_even_twice(tmp_path: Path) -> None:
    nodes, edges = OTHERS_NODES, OTHERS_EDGES
    for _ in range(2):
        rows = kgx_rows(tmp_path, [*nodes], [*edges])
        assert len(rows) == 1
        (row,) = rows
        assert isinstance(row, Assertion)
        assert (row.score, row.sources, row.weight, row.split) == (
            None,
            (),
            None,
            None if edges is OTHERS_EDGES else "test",
        )
        triple = row.triple
        ends = [
            Phrase(triple.head, triple.lang, ("Event",), "test", triple.head_uri),
            Phrase(triple.tail, triple.lang, ("Inference",), None, triple.tail_uri),
        ]
        edge = Edge(triple, "test", ("run",), predicted=False, details=row.details)
        assert write_kgx(ends, [edge], tmp_path / "out", runs=[]) == 1
        nodes, edges = ([json.loads(line) for line in (tmp_path / f"out{name}.jsonl").read_text().splitlines()]
                        for name in ("_nodes", "_edges"))  # fmt: skip
        for before, after in zip((*OTHERS_NODES, *OTHERS_EDGES), (*nodes[:2], *edges), strict=True):
            assert {name: value for name, value in after.items() if not name.startswith("skd_")} == before


def test_our_own_kgx_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    triple = Triple("PersonX naps", "xWant", "to rest", head_uri="Q1")
    nodes = [
        {"id": head_id(triple), "name": "PersonX naps", "category": ["Event"], "lang": "en", "uri": "Q1"},
        {"id": tail_id(triple), "name": "to rest", "category": ["Inference"], "lang": "en"},
    ]
    edge = {"id": triple_id(triple), "subject": head_id(triple), "predicate": "xWant", "object": tail_id(triple),
            "knowledge_level": "prediction", "agent_type": "computational_model", "split": "test", "score": 0.5,
            "weight": 2, "sources": ["a"], "details": '{"kgx": {"x": 1}}', "predicted": True}  # fmt: skip
    assert kgx_rows(tmp_path, [*nodes], [edge]) == [
        Assertion(triple, split="test", score=0.5, weight=2.0, sources=("a",), details='{"kgx": {"x": 1}}')
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"skd_weight": 10**400}, "more than 64 bits"), ({"skd_sources": 5}, "not a list of texts"),
        ({"skd_split": ["train"]}, "another kind"), ({"skd_score": 7}, "not from 0 to 1"),
        ({"skd_details": {"a": 1}}, "not valid JSON"), ({"pubs": "\ud800"}, "cannot be kept"),
        ({"skd_sources": ["\ud800"]}, "lone surrogate"), ({"predicate": 3}, "predicate is missing"),
        ({"weight": float("nan")}, "not a number that JSON has"), ({"skd_weight": "inf"}, "not a number"),
    ],
)  # fmt: skip
def test_a_kgx_edge_with_values_of_another_kind_is_rejected(
    tmp_path: Path, said: dict[str, object], reason: str
) -> None:
    (row,) = kgx_rows(tmp_path, [NAPS, REST], [WANTS | said])
    assert isinstance(row, Rejected)
    assert reason in row.reason


def test_what_json_cannot_hold_is_rejected(tmp_path: Path) -> None:
    good, bad = read(tmp_path / "f", f'{CAT}{{"a": NaN}}\n{CAT}{{"a": "\\ud800"}}\n'.encode(), "conceptnet")
    assert good == []
    assert len(bad) == 2
    good, bad = read(tmp_path / "f", b'{"event": "a", "inference": {"event": ["x"]}}', "phalm")
    assert (good, len(bad)) == ([], 1)


PLACE = {"pred": "/people/person/place_of_birth", "sub": "/m/09gb0bw", "obj": "/m/05f33tk", "sub_label": "Ada",
         "obj_label": "London", "uuid": "1", "masked_sentences": ["Ada was born in [MASK]."]}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "triple"),
    [
        (PLACE, Triple("Ada", "place_of_birth", "London", head_uri="/m/09gb0bw", tail_uri="/m/05f33tk")),
        (PLACE | {"pred": "/people/person/date_of_birth", "obj": "1815", "obj_label": "1815"},
         Triple("Ada", "date_of_birth", "1815", head_uri="/m/09gb0bw")),
        (PLACE | {"pred": "/people/deceased_person/place_of_death"},
         Triple("Ada", "place_of_death", "London", head_uri="/m/09gb0bw", tail_uri="/m/05f33tk")),
        ({"sub": "alive", "obj": "think", "pred": "HasSubevent", "obj_label": "think", "masked_sentences": ["[MASK]"]},
         Triple("alive", "HasSubevent", "think")),
        ({"sub_label": "fish", "pred": "AtLocation", "obj_label": "water"}, Triple("fish", "AtLocation", "water")),
    ],
)  # fmt: skip
def test_every_part_of_lama_has_its_own_relations(tmp_path: Path, row: dict[str, object], triple: Triple) -> None:
    good, bad = read(tmp_path / "f", json.dumps(row).encode(), "lama")
    assert bad == []
    assert good[0].triple == triple
    assert guess_format(tmp_path / "f") == "lama"


@pytest.mark.parametrize("pred", ["LovesTo", "/people/person/shoe_size", 5, "", ["IsA"], "isa"])
def test_a_relation_that_lama_does_not_have_is_refused_by_name(tmp_path: Path, pred: object) -> None:
    good, bad = read(tmp_path / "f", json.dumps(PLACE | {"pred": pred}).encode(), "lama")
    assert good == []
    assert str(pred).rpartition("/")[2] in bad[0].reason or "pred is missing, or not a text" in bad[0].reason


@pytest.mark.parametrize(
    ("format_name", "header", "reason"),
    [
        ("kgtk", "node1\tlabel\trelation\tnode2", "names one thing 2 times: label, relation"),
        ("kgtk", "node1\trelation\tnode2\tnode1", "names node1 2 times"),
        ("kgtk", "id\tnode1\tnode2", "relation is missing"),
        ("atomic2019", "event,xWant,xWant,split", "names xWant 2 times"),
        ("atomic2019", "event,xWant,prefix,split,prefix", "names prefix 2 times"),
        ("atomic2019", "xWant,split", "event is missing"),
        ("atomic2019", "\ud800", "invalid UTF-8"),
        ("kgtk", "", "the file is empty"),
    ],
)
def test_a_header_that_does_not_tell_its_columns_apart_is_refused(
    tmp_path: Path, format_name: str, header: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        read(tmp_path / "f", header.encode(errors="surrogatepass") + b"\nx\n" * bool(header), format_name)


def test_lama_facts_have_their_whole_rows_as_sources(tmp_path: Path) -> None:
    rows = [
        {"uuid": "1", "obj_uri": "Q2", "obj_label": "none", "sub_uri": "Q1", "sub_label": "X", "predicate_id": "P413"},
        {"masked_sentences": ["The [MASK] color was used."], "obj_label": "gold", "id": "a", "sub_label": "Squad"},
        {"masked_sentences": ["It is [MASK]."], "obj_label": "gold", "id": "b", "sub_label": "Squad"},
    ]
    good, bad = read(tmp_path / "f", "\n".join(map(json.dumps, rows)).encode(), "lama")
    assert bad == []
    assert [row.triple for row in good] == [
        Triple("X", "P413", "none", "en", "", "Q1", "Q2"), *[Triple("Squad", "SQuAD", "gold")] * 2,
    ]  # fmt: skip
    joined = [
        Edge(good[0].triple, "train", ("run",), predicted=False, sources=good[0].sources),
        Edge(good[1].triple, "train", ("run",), predicted=False, sources=(*good[1].sources, *good[2].sources)),
    ]
    assert write_lama(joined, tmp_path / "out") == 2
    assert [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()] == rows
    with pytest.raises(InputError, match="no sentence"):
        write_lama([Edge(Triple("a", "P413", "b"), "train", ("run",), predicted=False)], tmp_path / "out")
