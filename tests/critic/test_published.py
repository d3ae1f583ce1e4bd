"""Published judgements, in and out."""

from pathlib import Path

import pytest

from critic.published import guess_format, read_published, write_published
from kg.lines import Rejected, read_lines
from kg.model import Judgement
from kg.vocabulary import Vocabulary

CKBP = """head,relation,tail,label,class,head_in_expert_test
PersonX naps,xWant,to rest,1,cs_head,0
PersonX naps,xWant,to rest,0,cs_head,0
PersonX naps,xWant,to rest,1,test_set,1
PersonX naps,general Effect,"all, rest",0,all_head,0
"""
CKBC = "IsA\ttool\tobject\t1\nIsA\ttool\tobject\t0\nAtLocation\tferret\tpet store\t1\n"


def read(path: Path, content: str, format_name: str) -> list[Judgement | Rejected]:
    path.write_text(content)
    return list(
        read_published(
            read_lines(path), format_name, Vocabulary.load("cskg" if "ckbc" in format_name else "ckbp"), "en"
        )
    )


@pytest.mark.parametrize(("format_name", "content"), [("ckbp", CKBP), ("ckbc", CKBC)])
def test_rows_come_back_even_if_they_contradict_one_another(tmp_path: Path, format_name: str, content: str) -> None:
    assert guess_format(content.splitlines()[0]) == format_name
    judgements = [row for row in read(tmp_path / "in", content, format_name) if isinstance(row, Judgement)]
    assert len({(one.triple, one.annotator) for one in judgements}) == len(judgements)
    assert write_published(reversed(judgements), tmp_path / "out", format_name) == len(judgements)
    assert set((tmp_path / "out").read_text().splitlines()) == set(content.splitlines())


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
