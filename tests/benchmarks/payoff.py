"""Does distillation pay? Students of all that a teacher wrote beside students of what a critic lets pass.

    python -m tests.benchmarks.payoff starter FOLDER [--verdicts SHEETS]...
    python -m tests.benchmarks.payoff atomic FOLDER [--triples N] [--labels N] [--dev N]
        both: [--seeds N] [--only LESSON]... [--critic KIND] [--base NAME|none] [--epochs N] [--table]

`starter`: the weak teacher of the starter corpus. Students learn all of it, what passes at each recall, all of it
weighed by the critic's probability, and its truly good tails, the ceiling. Their first tails of the pairs of all test
events go to `FOLDER/run/sets.tsv`; `python -m tests.readings make SHEETS FOLDER/run` makes sheets of these for blind
readers. Verdicts count by the triple's text: those of the starter corpus, of `tests/data`, and of SHEETS. What nobody
has read is not judged: a share stands between the ends that it would have, were all of that bad, or good.

`atomic`: `atomic2019/train.tsv` below $KG_PUBLISHED_DATA with a teacher made wrong: 21.5 % of its tails are those of
other events and other relations. The critic learns from labels, drawn from this known corruption, which are easier
than a teacher's errors: such a tail is mostly off its subject, and now and then it is true by chance. Students are
measured by COMET's protocol (BLEU-2 over 10 beams, no tail of which is judged) on prefixes of
`dev.tsv`, of all or of events drawn at random.

FOLDER, outside the checkout, keeps critics and outputs: the same command goes on where it was ended. LESSON is a name
in the tables; --table trains nothing, and prints what there is. Nothing here chooses among lessons.
"""

import argparse
import csv
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from critic.judgements import read_judgements
from critic.kinds import KINDS, noisy_kind
from critic.verdicts import split_in, verdicts_on
from ingest.readers.completions import read_completions
from kg import strict_json
from kg.encoder import Encoder
from kg.lines import read_lines
from kg.model import Assertion, Triple
from kg.readings import STARTER, load_readings
from kg.recorded import STRONG, TEACHERS
from kg.vocabulary import Vocabulary
from student.interface import Student
from student.runs import base_named
from tests import readings
from tests.benchmarks.atomic import corrupted, of_atomic, prefixes, read_atomic
from tests.benchmarks.lessons import (
    CEILING,
    RAW,
    WEIGHTED,
    Class,
    Lesson,
    Measured,
    World,
    difference,
    filtered,
    legs,
    share,
    table_of_filter,
)

TAILS = 3  # as of `kg distill`, of which the first is read
DATA = Path(__file__).parents[1] / "data"

Pair = tuple[str, str]


def main() -> None:
    """Train what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", choices=["starter", "atomic"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verdicts", type=Path, action="append", default=[], metavar="SHEETS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", default=[], metavar="LESSON")
    parser.add_argument("--critic", choices=list(KINDS))
    parser.add_argument("--base", metavar="NAME|none")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--triples", type=int, default=10**9)
    parser.add_argument("--labels", type=int, default=10_000)
    parser.add_argument("--dev", type=int, default=10**9, metavar="PREFIXES")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    encoder = Encoder(None, options.folder)
    kind = options.critic or (noisy_kind() if options.teacher == "starter" else "kernel")
    students = partial(
        Class, options.folder, encode=encoder.encode, base=base_named("generator", options.base),
        epochs=options.epochs, seeds=options.seeds, only=options.only, train=not options.table,
    )  # fmt: skip
    if options.teacher == "starter":
        world, pairs = starter()
        text = of_starter(
            students(vocabulary=world.vocabulary), world, pairs, kind, encoder.identity, verdicts(*options.verdicts)
        )
    else:
        if not (published := os.environ.get("KG_PUBLISHED_DATA")):
            sys.exit("set KG_PUBLISHED_DATA to the folder that has atomic2019/train.tsv")
        data = Path(published, "atomic2019")
        world = corrupted(read_atomic(data / "train.tsv"), options.triples, options.labels)
        asked = prefixes(read_atomic(data / "dev.tsv"), options.dev)
        text = of_atomic(students(vocabulary=world.vocabulary), world, asked, kind, encoder.identity)
    print(text)


def starter() -> tuple[World, list[Pair]]:
    """Return the weak teacher of the starter corpus, and the pairs that its students are asked about."""
    vocabulary, teacher = Vocabulary.load("skd"), TEACHERS["weak"]
    wrote = written(teacher.completions, vocabulary)
    judgements = [one for one in read_judgements(teacher.judgements, vocabulary) if split_in(one.triple) != "test"]
    read = verdicts_on(judgements)
    known = dict(zip(read.triples, read.good.tolist(), strict=True))
    triples = [one for one in wrote if split_in(one) == "train"]
    strong = written(TEACHERS[STRONG].completions, vocabulary)
    events = sorted({one.head for one in (*wrote, *strong) if split_in(one) == "test"})
    truth = {one: known[one] for one in triples if one in known}
    return World(triples, truth, judgements, {}, vocabulary), [
        (one, name) for one in events for name in vocabulary.names
    ]


def written(path: Path, vocabulary: Vocabulary) -> list[Triple]:
    """Return the triples of a recorded teacher, each once, sorted."""
    rows = read_completions(read_lines(path), vocabulary, "en")
    return sorted({row.triple for row in rows if isinstance(row, Assertion) and not row.triple.says_nothing})


def of_starter(
    students: Class, world: World, pairs: Sequence[Pair], kind: str, encoder: str, known: Mapping[Triple, bool]
) -> str:
    """Train the students of a recorded teacher, write their first tails to be read, and return the tables."""
    found = filtered(students.folder, world, kind, students.encode, encoder)

    def write(student: Student) -> str:
        asked = [pair for pair in pairs if pair[1] in student.relations]
        said = zip(asked, student.predict(asked, TAILS), strict=True)
        return "".join(strict_json.write([*pair, tails[0].tail]) + "\n" for pair, tails in said if tails)

    first: dict[str, dict[int, list[Triple]]] = defaultdict(dict)
    for lesson, seed, path in legs(students, found.lessons, write, strict_json.write([TAILS, *pairs])):
        lines = path.read_text(encoding="utf-8").splitlines()
        first[lesson.name][seed] = [Triple(*strict_json.read(line)) for line in lines]
    _write_sets(students.folder / "run", first)
    whole = {name: [one for some in by_seed.values() for one in some] for name, by_seed in first.items()}
    return f"{table_of_filter(found, world.truth)}\n\n{table_of_readings(found.lessons, whole, known)}"


def verdicts(*sheets: Path) -> dict[Triple, bool]:
    """Return what readers said of triples, by their texts: of the starter corpus, of `tests/data`, of new sheets."""
    vocabulary = Vocabulary.load("skd")
    judged = verdicts_on(
        [one for teacher in TEACHERS.values() for one in read_judgements(teacher.judgements, vocabulary)]
    )
    found = dict(zip(judged.triples, judged.good.tolist(), strict=True)) | dict(load_readings(STARTER).verdicts)
    folders = sorted(path.parent for name in ("readings", "trials") for path in (DATA / name).rglob("about.json"))
    for row, said in readings.read(*folders, *sheets).verdicts.items():
        found[Triple(*row)] = said[0] > 0
    return found


def table_of_readings(
    lessons: Sequence[Lesson], said: Mapping[str, Sequence[Triple]], known: Mapping[Triple, bool]
) -> str:
    """Return which share of the students' first tails readers accept, beside those who learnt all: table 6."""
    lines = [
        "| learnt | triples | first tails | read | accepted | beside raw, points | weighted beside it |",
        "|---|---:|---:|---:|---|---|---|",
    ]
    raw, weighted = said.get(RAW, ()), said.get(WEIGHTED, ())
    for lesson in lessons:
        if not (mine := said.get(lesson.name)):
            continue
        read = sum(one in known for one in mine)
        (least, (low, _)), (most, (_, high)) = (
            share(Measured([known.get(one, other) for one in mine], mine)) for other in (False, True)
        )
        told = f"{least:.1%}" if read == len(mine) else f"not judged: between {least:.1%} and {most:.1%}"
        beside = "" if lesson.name == RAW else _beside(mine, raw, known)
        weighed = "" if lesson.name in (RAW, WEIGHTED, CEILING) else _beside(weighted, mine, known)
        lines.append(
            f"| {lesson.name} | {len(lesson.triples):,} | {len(mine):,} | {read:,} "
            f"| {told} ({100 * low:.1f} to {100 * high:.1f}) | {beside} | {weighed} |"
        )
    note = "In brackets 95 % intervals, over resampled events; the seeds' students are taken as they are."
    return "\n".join([*lines, "", note])


def _beside(mine: Sequence[Triple], others: Sequence[Triple], known: Mapping[Triple, bool]) -> str:
    """Return by how many points more of some tails are accepted than of others; nothing without one of the two."""
    if not mine or not others:
        return ""
    if not all(one in known for one in (*mine, *others)):
        return "not judged"
    moved, (low, high) = difference(*(Measured([known[one] for one in some], some) for some in (mine, others)))
    return f"{100 * moved:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _write_sets(run: Path, first: Mapping[str, Mapping[int, Sequence[Triple]]]) -> None:
    """Write the sets that are to be read, as `tests.readings` reads them."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "sets.tsv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        rows.writerow(["set", "head", "relation", "tail"])
        for name, by_seed in first.items():
            for seed, triples in by_seed.items():
                for one in triples:
                    rows.writerow([f"generator (weak teacher, {name}, seed {seed}, first tails), raw", one.head,
                                   one.relation, one.tail])  # fmt: skip


if __name__ == "__main__":
    main()
