"""Blind readings of what a run of the loop wrote: sheets for readers, and what their answers come to.

    python -m tests.readings make FOLDER RUN     draws sheets from sets.tsv in the folder of an evaluation's run
    python -m tests.readings again FOLDER        adds sheets of what void sheets were to say
    python -m tests.readings report FOLDER...    checks the answers, and prints a share for each set
    python -m tests.readings ship FOLDER...      writes kg/starter/readings.tsv and readings.json

Where only some sets are other ones than before, these alone are read again (`--only "generator, raw"`), and the folders
are given oldest first: of a set, and of a triple, the newest reading counts.

Of each student every row is read, of teacher and controls a random sample of `SAMPLE`. All rows are shuffled together
and dealt to sheets; to each come planted controls, gold tails and tails of another event, one row in ten together, and
a fifth of the rows stands on a second reader's sheet, too. Readers see neither source nor score nor goal: one gets
`sheet-N.tsv` alone (row, event, question, tail) and answers in `answers-N.tsv`: the row, a tab, and 2 (always or
often), 1 (sometimes or likely), -1 (farfetched or never) or -2 (makes no sense). `key.tsv` says what a row is. A sheet
is void when more than a quarter of the other event's tails are accepted, or fewer than 85 % of the gold ones.
"""

import argparse
import csv
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from kg.identity import phrase_id, split_of
from kg.model import Triple
from kg.readings import STARTER, set_hash
from kg.vocabulary import Vocabulary

SHEET_ROWS = 220
SAMPLE = 200  # rows of teacher and controls
SAMPLED = re.compile(r"(.* )?teacher, raw|(nearest training event|most frequent tail|another event)(, .*)?")
"""Sets of which a sample is read: of teachers, of controls, whosever they are."""
SECOND = 0.2  # of the rows, for a second reader
PLANTED = 0.1  # of a sheet, half of them gold tails, half of another event
MOST_OTHER, LEAST_GOLD = 0.25, 0.85
GOLD, OTHER = "control: gold", "control: another event"

Row = tuple[str, str, str]


class Reading(NamedTuple):
    """What a folder of sheets holds.

    Attributes:
        sets: triple to the names of the sets that it is drawn from.
        verdicts: triple to what its readers said, those of void sheets left out.
        void: numbers of the sheets that failed their controls.
        controls: sheet to the share accepted of its gold tails and of those of another event.
    """

    sets: dict[Row, set[str]]
    verdicts: dict[Row, list[int]]
    void: list[int]
    controls: dict[int, tuple[float, float]]


def make(folder: Path, run: Path, seed: int, only: Collection[str] = ()) -> int:
    """Write sheets and their key into a folder that is new; return how many sheets there are.

    Args:
        folder: where the sheets go.
        run: the folder of an evaluation's run.
        seed: of what is drawn, and of the order.
        only: names of the sets that are read; empty for all.
    """
    random_ = random.Random(seed)
    rows: defaultdict[Row, set[str]] = defaultdict(set)
    about_sets = {}
    for name, triples in sorted(sets_of(run).items()):
        if only and name not in only:
            continue
        whole = sorted(set(triples))
        about_sets[name] = {"rows": len(triples), "hash": set_hash(Triple(*row) for row in whole)}
        for row in random_.sample(whole, min(SAMPLE, len(whole))) if SAMPLED.fullmatch(name) else whole:
            rows[row].add(name)
    order = sorted(rows)
    random_.shuffle(order)
    twice = order[: round(SECOND * len(order))]
    first = _dealt(order)
    second = _dealt(twice)
    folder.mkdir(parents=True)
    (folder / "key.tsv").write_text("sheet\trow\thead\trelation\ttail\tsets\n", encoding="utf-8")
    _write_sheets(folder, [*first, *second], {row: "|".join(sorted(names)) for row, names in rows.items()}, 1, random_)
    about = {"seed": seed, "sheets": len(first) + len(second), "second": len(second), "sets": about_sets}
    (folder / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return len(first) + len(second)


def again(folder: Path, seed: int) -> int:
    """Add sheets, with other planted controls, of what void sheets were to say; return how many.

    Args:
        folder: with all of its sheets answered.
        seed: of the order.
    """
    random_ = random.Random(seed)
    made = json.loads((folder / "about.json").read_text(encoding="utf-8"))["sheets"]
    names: dict[Row, str] = {}
    wanted: Counter[Row] = Counter()
    for line in (key := _key(folder)):
        row = (line["head"], line["relation"], line["tail"])
        names[row] = line["sets"]
        wanted[row] += int(line["sheet"]) <= made and line["sets"] not in (GOLD, OTHER)
    lacking = wanted - Counter({row: len(values) for row, values in _read(folder).verdicts.items()})
    order = sorted(lacking)
    random_.shuffle(order)
    sheets = [*_dealt(order), *_dealt([row for row in order if lacking[row] > 1])]
    _write_sheets(folder, sheets, names, 1 + max(int(line["sheet"]) for line in key), random_)
    return len(sheets)


def _write_sheets(
    folder: Path, sheets: Sequence[Sequence[Row]], names: Mapping[Row, str], first: int, random_: random.Random
) -> None:
    """Write sheets from a number on, each with controls among its rows, and append what is on them to the key."""
    gold, other = _controls(set(names), random_)
    words = {relation.name: relation.question for relation in Vocabulary.load("skd2")}
    with (folder / "key.tsv").open("a", encoding="utf-8", newline="") as file:
        key = csv.writer(file, delimiter="\t", lineterminator="\n")
        for number, sheet in enumerate(sheets, first):
            planted = max(5, round(PLANTED / 2 * len(sheet)))
            mixed = [(triple, names[triple]) for triple in sheet]
            mixed += [(triple, GOLD) for triple in random_.sample(gold, planted)]
            mixed += [(triple, OTHER) for triple in random_.sample(other, planted)]
            random_.shuffle(mixed)
            with (folder / f"sheet-{number}.tsv").open("w", encoding="utf-8", newline="") as shown:
                writer = csv.writer(shown, delimiter="\t", lineterminator="\n")
                for place, ((head, relation, tail), sets) in enumerate(mixed, 1):
                    writer.writerow([place, head, words[relation], tail])
                    key.writerow([number, place, head, relation, tail, sets])


def _key(folder: Path) -> list[dict[str, str]]:
    with (folder / "key.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def sets_of(run: Path) -> dict[str, list[Row]]:
    """Return the sets of an evaluation that are read, students' by their kind: "generator, raw".

    Where several teachers have students, the name says whose they are, and of which tails they learnt:
    "generator (weak teacher, accepted), raw".
    """
    report = run / "report.json"
    students = json.loads(report.read_text(encoding="utf-8"))["students"] if report.is_file() else {}
    several = len({about["teacher"] for about in students.values()}) > 1
    named = {
        one: f"{about['kind']} ({about['teacher']}, {about['learnt']})" for one, about in students.items() if several
    }
    found: defaultdict[str, list[Row]] = defaultdict(list)
    with (run / "sets.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            student, comma, rest = row["set"].partition(", ")
            name = re.sub(r"^(\w+)-[0-9a-f]{12}$", r"\1", named.get(student, student)) + comma + rest
            if SAMPLED.fullmatch(name) or name.endswith(", raw"):
                found[name].append((row["head"], row["relation"], row["tail"]))
    return dict(found)


def read(*folders: Path) -> Reading:
    """Return what the answered sheets of some folders come to, oldest first."""
    sets: dict[Row, set[str]] = {}
    verdicts: dict[Row, list[int]] = {}
    void: list[int] = []
    controls: dict[int, tuple[float, float]] = {}
    for folder in folders:
        newer, before = _read(folder), len(controls)
        replaced = {name for names in newer.sets.values() for name in names}
        sets = {row: names - replaced for row, names in sets.items()}
        for row, names in newer.sets.items():
            sets[row] = sets.get(row, set()) | names
        verdicts |= newer.verdicts
        void += [before + number for number in newer.void]
        controls |= {before + number: shares for number, shares in newer.controls.items()}
    return Reading(sets, verdicts, void, controls)


def _read(folder: Path) -> Reading:
    sets: defaultdict[Row, set[str]] = defaultdict(set)
    said: dict[int, list[tuple[Row, str, int]]] = {}
    keys = _key(folder)
    for number in sorted({int(row["sheet"]) for row in keys}):
        path = folder / f"answers-{number}.tsv"
        if not path.exists():
            continue
        answers = dict(line.split("\t")[:2] for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        mine = [row for row in keys if int(row["sheet"]) == number]
        if answers.keys() != {row["row"] for row in mine}:
            raise ValueError(f"{path} does not answer just the rows of its sheet")
        said[number] = [
            ((row["head"], row["relation"], row["tail"]), row["sets"], int(answers[row["row"]])) for row in mine
        ]
    controls = {
        number: (_share([v for _, s, v in rows if s == GOLD]), _share([v for _, s, v in rows if s == OTHER]))
        for number, rows in said.items()
    }
    void = [n for n, (gold, other) in controls.items() if other > MOST_OTHER or gold < LEAST_GOLD]
    verdicts: defaultdict[Row, list[int]] = defaultdict(list)
    for number, rows in said.items():
        for triple, names, value in rows:
            if names not in (GOLD, OTHER) and number not in void:
                sets[triple] |= set(names.split("|"))
                verdicts[triple].append(value)
    return Reading(dict(sets), dict(verdicts), void, controls)


def report(reading: Reading) -> str:
    """Return the share of each set that its readers accepted, and how far two readers agree."""
    lines = ["| set | rows read | accepted | 95 % interval |", "|---|---:|---:|---|"]
    for name in sorted({name for names in reading.sets.values() for name in names}):
        good = [reading.verdicts[row][0] > 0 for row, names in reading.sets.items() if name in names]
        low, high = binomtest(sum(good), len(good)).proportion_ci(method="wilson")
        lines.append(f"| {name} | {len(good)} | {sum(good) / len(good):.1%} | {low:.1%} to {high:.1%} |")
    found = agreement(reading)
    lines += [
        "",
        f"{found['twice']} rows were read twice: {found['same']:.1%} the same, Cohen's kappa {found['kappa']:.2f}.",
        f"Controls: {found['gold']:.1%} of the gold tails accepted, {found['other']:.1%} of those of another event.",
        f"{len(reading.void)} of {len(reading.controls)} sheets are void.",
    ]
    return "\n".join(lines)


def agreement(reading: Reading) -> dict[str, float]:
    """Return how far second readers agree with the first on accept or reject, and how the planted controls fared."""
    both = [[value > 0 for value in values[:2]] for values in reading.verdicts.values() if len(values) > 1]
    golds, others = zip(
        *(reading.controls[number] for number in reading.controls if number not in reading.void), strict=True
    )
    return {
        "twice": len(both),
        "same": sum(one == other for one, other in both) / max(1, len(both)),
        "kappa": float(cohen_kappa_score(*zip(*both, strict=True))) if both else 0.0,
        "gold": sum(golds) / len(golds),
        "other": sum(others) / len(others),
    }


def ship(*folders: Path, target: Path = STARTER) -> None:
    """Write the verdicts of the sheets of some folders, oldest first, as `kg.readings` opens them."""
    reading = read(*folders)
    about: dict[str, object] = {}
    for folder in folders:
        newer = json.loads((folder / "about.json").read_text(encoding="utf-8"))["sets"]
        about = newer | {name: found for name, found in about.items() if name not in newer}
    lines = ["head\trelation\ttail\tsets\tverdicts"]
    for row in sorted(reading.verdicts):
        values = " ".join(map(str, reading.verdicts[row]))
        lines.append("\t".join([*row, "|".join(sorted(reading.sets[row])), values]))
    (target / "readings.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = {"sets": about, "agreement": agreement(reading)}
    (target / "readings.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _dealt(rows: Sequence[Row]) -> list[Sequence[Row]]:
    sheets = max(1, round(len(rows) / SHEET_ROWS)) if rows else 0
    return [rows[number::sheets] for number in range(sheets)]


def _controls(drawn: set[Row], random_: random.Random) -> tuple[list[Row], list[Row]]:
    """Return gold tails, and tails of other events that nobody has judged good, of test events."""
    with (STARTER / "judgements.tsv").open(encoding="utf-8", newline="") as file:
        judged = [
            row for row in csv.DictReader(file, delimiter="\t") if split_of(phrase_id(row["head"], "en")) == "test"
        ]
    gold = {(r["head"], r["relation"], r["tail"]) for r in judged if r["origin"] == "draft" and int(r["value"]) > 0}
    heads = sorted({row["head"] for row in judged})
    other = set()
    for head, relation, tail in sorted(gold):
        foreign = random_.choice([one for one in heads if one != head])
        other.add((foreign, relation, tail))
    return sorted(gold - drawn), sorted(other - gold - drawn)


def _share(values: Sequence[int]) -> float:
    return sum(value > 0 for value in values) / max(1, len(values))


def main() -> None:
    """Make sheets, report on their answers, or ship the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make")
    maker.add_argument("folder", type=Path)
    maker.add_argument("run", type=Path)
    maker.add_argument("--seed", type=int, default=0)
    maker.add_argument("--only", action="append", default=[], metavar="SET")
    dealer = commands.add_parser("again")
    dealer.add_argument("folder", type=Path)
    dealer.add_argument("--seed", type=int, default=1)
    for name in ("report", "ship"):
        commands.add_parser(name).add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    if options.command == "make":
        print(make(options.folder, options.run, options.seed, options.only), "sheets")
    elif options.command == "again":
        print(again(options.folder, options.seed), "more sheets")
    elif options.command == "report":
        print(report(read(*options.folders)))
    else:
        ship(*options.folders)


if __name__ == "__main__":
    main()
