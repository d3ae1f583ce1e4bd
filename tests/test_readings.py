"""Blind readings: how sheets are drawn and checked, and that what is shipped is what readers answered."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from kg.model import Triple
from kg.readings import STARTER, load_readings
from tests import readings
from tests.readings import GOLD, OTHER, SAMPLE, again, agreement, make, read, report, sets_of, ship

SHEETS = sorted(path.parent for path in (Path(__file__).parent / "data" / "readings").glob("*/about.json"))
EVENTS = [f"PersonX does thing {number}" for number in range(60)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = ["set\thead\trelation\ttail"]
    for number, event in enumerate(EVENTS):
        for place in range(7):
            lines.append(
                f"generator-0123456789ab, raw\t{event}\txWant\t{'good' if place < 3 else 'bad'} {place} {number}"
            )
            lines.append(f"teacher, raw\t{event}\txWant\tgood by teacher {place} {number}")
        lines.append(f"generator-0123456789ab, accepted\t{event}\txWant\tgood 0 {number}")
    (tmp_path / "sets.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    make(tmp_path / "sheets", tmp_path, seed=3)
    return tmp_path / "sheets"


def answer(folder: Path, *, fooled: tuple[int, ...] = (), deaf: tuple[int, ...] = ()) -> None:
    """Answer as readers who accept what says "good" and know the controls, but for those who accept or reject all."""
    with (folder / "key.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for sheet in {int(row["sheet"]) for row in rows}:
        lines = []
        for row in rows:
            if int(row["sheet"]) == sheet:
                is_good = row["sets"] == GOLD or (row["sets"] != OTHER and row["tail"].startswith("good"))
                is_good = (is_good or sheet in fooled) and sheet not in deaf
                lines.append(f"{row['row']}\t{2 if is_good else -1}")
        (folder / f"answers-{sheet}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_every_row_of_a_student_and_a_sample_of_the_teacher_is_on_a_sheet_and_a_fifth_on_two(folder: Path) -> None:
    answer(folder)
    found = read(folder)
    counts = {name: sum(name in names for names in found.sets.values()) for name in ("generator, raw", "teacher, raw")}
    assert counts == {"generator, raw": 420, "teacher, raw": readings.SAMPLE}
    assert agreement(found)["twice"] == round(readings.SECOND * 620)
    assert "| generator, raw | 420 | 42.9% |" in report(found)


def test_a_reader_sees_no_source_and_planted_controls_are_a_tenth(folder: Path) -> None:
    for sheet in folder.glob("sheet-*.tsv"):
        rows = [line.split("\t") for line in sheet.read_text(encoding="utf-8").splitlines()]
        assert {len(row) for row in rows} == {4}
        text = sheet.read_text(encoding="utf-8")
        assert not any(word in text for word in ("generator", ", raw", "control:", "teacher, "))
    with (folder / "key.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    planted = [row for row in rows if row["sets"] in (GOLD, OTHER)]
    assert 0.08 <= len(planted) / len(rows) <= 0.12


def test_a_sheet_that_fails_its_controls_counts_for_nothing(folder: Path) -> None:
    answer(folder, fooled=(1,), deaf=(2,))
    found = read(folder)
    assert found.void == [1, 2]
    assert agreement(found)["gold"] == 1
    assert all(values[0] == (2 if row[2].startswith("good") else -1) for row, values in found.verdicts.items())


def test_rows_of_void_sheets_are_read_on_others_with_other_controls(folder: Path) -> None:
    answer(folder)
    whole = read(folder)
    answer(folder, fooled=(1,))
    keys = (folder / "key.tsv").read_text(encoding="utf-8")
    assert again(folder, seed=1) == 1
    added = (folder / "key.tsv").read_text(encoding="utf-8").removeprefix(keys)
    rows, old = ([line.split("\t") for line in text.splitlines()] for text in (added, keys))
    lost = {tuple(row[2:5]) for row in old if row[0] == "1" and row[5] not in (GOLD, OTHER)}
    assert {tuple(row[2:5]) for row in rows if row[5] not in (GOLD, OTHER)} == lost
    assert not any("\t".join(row[2:]) in keys for row in rows if row[5] in (GOLD, OTHER))
    answer(folder, fooled=(1,))
    found = read(folder)
    assert found.void == [1]
    assert (found.sets, {row: len(said) for row, said in found.verdicts.items()}) == (
        whole.sets,
        {row: len(said) for row, said in whole.verdicts.items()},
    )
    assert again(folder, seed=2) == 0


def test_a_sheet_with_a_row_left_out_is_refused(folder: Path) -> None:
    answer(folder)
    path = folder / "answers-1.tsv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(ValueError, match="does not answer just the rows"):
        read(folder)


def test_what_is_shipped_opens_with_its_sets(folder: Path, tmp_path: Path) -> None:
    answer(folder)
    ship(folder, target=tmp_path)
    found = load_readings(tmp_path)
    rows = [Triple(event, "xWant", f"{'good' if place < 3 else 'bad'} {place} {number}")
            for number, event in enumerate(EVENTS) for place in range(7)]  # fmt: skip
    whole = found.of(rows)
    assert whole is not None
    assert whole.keys() == set(rows)
    assert sum(whole.values()) == 180
    assert found.of(rows[:-1]) is None
    assert found.agreement["same"] == 1


def test_a_set_that_is_read_again_takes_the_place_of_the_old_one(folder: Path, tmp_path: Path) -> None:
    answer(folder)
    text = (tmp_path / "sets.tsv").read_text(encoding="utf-8")
    (tmp_path / "sets.tsv").write_text(text.replace("\tgood 0 ", "\tbad again "), encoding="utf-8")
    newer = folder.with_name("sheets-2")
    make(newer, tmp_path, seed=4, only=["generator, raw"])
    answer(newer)
    both = read(folder, newer)
    again = [row for row, names in both.sets.items() if "generator, raw" in names]
    assert len(again) == 420
    assert sum(both.verdicts[row][0] > 0 for row in again) == 120
    old = ("PersonX does thing 5", "xWant", "good 0 5")
    assert both.sets[old] == set()
    assert both.verdicts[old][0] == 2
    assert sum("teacher, raw" in names for names in both.sets.values()) == SAMPLE
    assert len(both.controls) == len([*folder.glob("answers-*"), *newer.glob("answers-*")])
    ship(folder, newer, target=tmp_path)
    found = load_readings(tmp_path)
    assert found.verdicts[Triple(*old)]
    assert Triple(*old) not in found.sets["generator, raw"]
    assert len(found.sets["generator, raw"]) == 420


def test_the_shipped_verdicts_are_those_of_all_sheets_the_newest_first(tmp_path: Path) -> None:
    ship(*SHEETS, target=tmp_path)
    for name in ("readings.tsv", "readings.json"):
        assert (tmp_path / name).read_bytes() == (STARTER / name).read_bytes()


def test_sets_of_several_teachers_are_told_apart_and_those_of_teachers_and_controls_are_sampled(tmp_path: Path) -> None:
    ids = [f"generator-{number:012x}" for number in range(3)]
    lines = ["set\thead\trelation\ttail"]
    names = ["strong teacher, raw", "weak teacher, raw", "another event, weak teacher", *(f"{one}, raw" for one in ids)]
    lines += [f"{name}\tPersonX naps\txWant\t{number} {name}" for name in names for number in range(SAMPLE + 9)]
    (tmp_path / "sets.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    learnt = [("strong teacher", "accepted"), ("weak teacher", "accepted"), ("weak teacher", "raw")]
    students = {
        one: {"kind": "generator", "teacher": teacher, "learnt": what}
        for one, (teacher, what) in zip(ids, learnt, strict=True)
    }
    (tmp_path / "report.json").write_text(json.dumps({"students": students}), encoding="utf-8")
    assert set(sets_of(tmp_path)) == {
        "strong teacher, raw", "weak teacher, raw", "another event, weak teacher",
        *(f"generator ({teacher}, {what}), raw" for teacher, what in learnt),
    }  # fmt: skip
    make(tmp_path / "sheets", tmp_path, seed=3)
    key = [row.split("\t") for row in (tmp_path / "sheets" / "key.tsv").read_text(encoding="utf-8").splitlines()]
    drawn = Counter(name for name, _ in {(row[5], row[4]) for row in key})
    assert drawn["weak teacher, raw"] == drawn["another event, weak teacher"] == SAMPLE
    assert drawn["generator (weak teacher, raw), raw"] == SAMPLE + 9
