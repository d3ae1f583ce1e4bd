"""Published judgements, in and out."""

import itertools
from pathlib import Path

import pytest

from critic.judgements import read_judgements
from critic.published import guess_format, read_published, write_published
from kg.errors import InputError
from kg.lines import Rejected, read_lines
from kg.model import Judgement, Triple, consensus
from kg.vocabulary import Vocabulary

CKBP = """head,relation,tail,label,class,head_in_expert_test
PersonX naps,xWant,to rest,1,cs_head,0
PersonX naps,xWant,to rest,0,cs_head,0
PersonX naps,xWant,to rest,1,test_set,1
PersonX naps,general Effect,"all, rest",0,all_head,0
"""
ODD = "head,relation,tail,label,class\na,xWant,b,1,x/y#2\na,xWant,b,0,x/y#2\n"
CKBC = "IsA\ttool\tobject\t1\nIsA\ttool\tobject\t0\nAtLocation\tferret\tpet store\t1\n"


def read(path: Path, content: str, format_name: str) -> list[Judgement | Rejected]:
    path.write_text(content)
    return list(
        read_published(
            read_lines(path), format_name, Vocabulary.load("cskg" if "ckbc" in format_name else "ckbp"), "en"
        )
    )


@pytest.mark.parametrize(("format_name", "content"), [("ckbp", CKBP), ("ckbp", ODD), ("ckbc", CKBC)])
def test_rows_come_back_even_if_they_contradict_one_another(tmp_path: Path, format_name: str, content: str) -> None:
    assert guess_format(content.splitlines()[0]) == format_name
    judgements = [row for row in read(tmp_path / "in", content, format_name) if isinstance(row, Judgement)]
    assert len({(one.triple, one.annotator) for one in judgements}) == len(judgements)
    assert write_published(reversed(judgements), tmp_path / "out", format_name) == len(judgements)
    assert set((tmp_path / "out").read_text().splitlines()) == set(content.splitlines())


@pytest.mark.parametrize(
    "content",
    [
        "label,tail,head,relation\n1,b,a,xWant\n0,c,a,xWant\n",
        ",head,relation,tail,label,class\n0,a,xWant,b,1.0,x\n1,a,xWant,c,0.0,x\n",
        '"head","relation","tail","label"\n"a","xWant","b","True"\n"a","xWant","c","False"\n',
    ],
)
def test_columns_stand_in_any_order_and_labels_are_spelt_as_pandas_does(tmp_path: Path, content: str) -> None:
    assert guess_format(content.splitlines()[0]) == "ckbp"
    found = read(tmp_path / "in", content, "ckbp")
    assert [(one.triple, one.value) for one in found if isinstance(one, Judgement)] == [
        (Triple("a", "xWant", "b"), 1), (Triple("a", "xWant", "c"), -1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,xWant,b,2,c,0", "label '2' is not 0 or 1"), ("a,xWant,b,1,c", "5 columns where 6"),
        ("a,xWant,none,1,c,0", "no effect"), ("a,xWand,b,1,c,0", "did you mean xWant"), ('"a,xWant', "unexpected end"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_judgement_is_rejected(tmp_path: Path, row: str, reason: str) -> None:
    found = read(tmp_path / "in", f"{CKBP}{row}\n", "ckbp")
    assert [type(one) for one in found] == [Judgement] * 4 + [Rejected]
    assert isinstance(found[-1], Rejected)
    assert reason in found[-1].reason
    assert found[-1].line == 6


def test_only_what_was_read_from_ckbp_has_a_class_and_all_others_come_to_one_row(tmp_path: Path) -> None:
    naps, runs = Triple("PersonX naps", "xWant", "to rest"), Triple("PersonX runs", "xWant", "to rest")
    read_from_ckbp = read(tmp_path / "in", CKBP, "ckbp")[0]
    assert isinstance(read_from_ckbp, Judgement)
    assert read_from_ckbp.annotator == "ckbp:cs_head/0"
    others = [
        Judgement(naps, "meta/llama-3", 2), Judgement(naps, "cs_head/0", 2), Judgement(naps, "adv", -2),
        Judgement(naps, "test_set#2", -9), Judgement(runs, "a/b/c", 1), Judgement(runs, "ckbc/x", -1),
        Judgement(runs, "someone#3", -9), Judgement(runs, "ckbc", 1),
    ]  # fmt: skip
    assert write_published([read_from_ckbp, *others], tmp_path / "out", "ckbp") == 3
    assert (tmp_path / "out").read_text().splitlines() == [
        "head,relation,tail,label,class,head_in_expert_test",
        "PersonX naps,xWant,to rest,1,cs_head,0",
        "PersonX naps,xWant,to rest,1,,",
        "PersonX runs,xWant,to rest,0,,",
    ]
    assert write_published(others, tmp_path / "out", "ckbp") == 2
    assert (tmp_path / "out").read_text().startswith("head,relation,tail,label,class\nPersonX naps,xWant,to rest,1,\n")
    assert write_published(others, tmp_path / "out", "ckbc") == 1


@pytest.mark.parametrize(
    "values", [(1,), (-9, -9), (2, 2, -2), (2, -2), (1, 2, 2, -1), (-1, -2, -2), (2, -9), (-2, -9)]
)
def test_a_consensus_does_not_depend_on_the_order_and_is_one_of_the_verdicts(values: tuple[int, ...]) -> None:
    found = {consensus(order) for order in itertools.permutations(values)}
    assert len(found) == 1
    assert found <= {*values}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("head,relation,tail,label,class,class", "names class 2 times"),
        ("head,relation,tail,label,head", "names head 2 times"),
        ("head,relation,tail,class", "label is missing"),
    ],
)
def test_a_header_with_a_column_twice_or_missing_is_refused(tmp_path: Path, header: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(tmp_path / "in", f"{header}\na,xWant,b,1,c,d\n", "ckbp")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("rater annotator head relation tail value", "names one thing 2 times: rater, annotator"),
        ("annotator head relation tail value value", "names value 2 times"),
        ("annotator head relation tail", "value is missing"),
    ],
)
def test_judgements_whose_header_has_two_columns_of_one_role_are_refused(
    tmp_path: Path, columns: str, reason: str
) -> None:
    (tmp_path / "f").write_text("\t".join(columns.split()) + "\nx\n")
    with pytest.raises(InputError, match=reason):
        list(read_judgements(tmp_path / "f", Vocabulary.load("skd")))
