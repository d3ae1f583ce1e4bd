"""Judging: a task as a person reads it, the five verdicts and their keys, and what a person has done so far.

Both front ends, the terminal and the page, are thin over this module and `kg.graph.tasks`, whose functions take a graph
and an annotator's name: `find_batch`, `next_task`, `give_verdict`, `skip`, `take_back`, `release`, `progress`.
"""

from dataclasses import dataclass

from kg.graph.tasks import Progress
from kg.graph.turns import Task
from kg.languages import has_unspaced, joined
from kg.vocabulary import Relation, Vocabulary


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of the five verdicts, with the key that gives it.

    Attributes:
        key: the key, a digit.
        value: one of `kg.model.JUDGEMENT_VALUES`.
        words: what it means.
    """

    key: str
    value: int
    words: str


VERDICTS = (
    Verdict("1", 2, "always or often true"),
    Verdict("2", 1, "sometimes or likely true"),
    Verdict("3", -1, "farfetched or never true"),
    Verdict("4", -2, "makes no sense"),
    Verdict("5", -9, "too unfamiliar to judge"),
)
"""The verdicts in the order in which they are shown (West et al. 2021, s4.2)."""

SKIP_KEY, UNDO_KEY, NOTE_KEY, QUIT_KEY = "s", "u", "n", "q"


@dataclass(frozen=True, slots=True)
class Question:
    """A task as an annotator sees it: no score, no source, no other verdict.

    Attributes:
        task: key of the task.
        batch: id of the run that drew it.
        head: the event.
        question: what is asked about the event; empty where the relation has no question.
        tail: the inference, which may answer the question.
        sentence: the triple as one sentence.
    """

    task: str
    batch: str
    head: str
    question: str
    tail: str
    sentence: str


def ask(task: Task, vocabulary: Vocabulary) -> Question:
    """Return a task as an annotator sees it.

    Raises:
        UnknownRelation: the vocabulary does not have its relation.
    """
    triple = task.triple
    relation = vocabulary[triple.relation].in_language(triple.lang)
    sentence = sentence_of(triple.head, relation, triple.tail)
    return Question(task.id, task.batch, triple.head, relation.question, triple.tail, sentence)


def sentence_of(head: str, relation: Relation, tail: str) -> str:
    """Return a triple as one sentence, with blanks and a full stop as its script wants them.

    Args:
        head: the event.
        relation: as `Relation.in_language` gives it for the language of the head.
        tail: the inference.

    >>> sentence_of("PersonX naps", Relation("xWant", "and afterwards PersonX would like"), "to rest.")
    'PersonX naps and afterwards PersonX would like to rest.'
    >>> sentence_of("a cat?", Relation("IsA", ""), "animal")
    'a cat? IsA animal.'
    >>> sentence_of("Xが寝る。", Relation("xReact", "。その後のXの気持ちは、"), "眠い")
    'Xが寝る。その後のXの気持ちは、眠い。'
    """
    sentence = joined(head.strip().rstrip(".。"), relation.phrase.strip() or relation.name, tail.strip())
    stop = "。" if has_unspaced(tail) else "."
    return sentence if sentence.endswith((".", "!", "?", "。", "！", "？")) else f"{sentence}{stop}"  # noqa: RUF001


def format_progress(found: Progress) -> str:
    """Return how far an annotator and a batch are, as a line.

    >>> format_progress(Progress(tasks=100, wanted=200, done=37, mine=12, skipped=1, left=80))
    '12 judged by you, 1 skipped, 80 left for you; 37 of 200 by all'
    """
    skipped = f", {found.skipped:,} skipped" if found.skipped else ""
    return (
        f"{found.mine:,} judged by you{skipped}, {found.left:,} left for you; {found.done:,} of {found.wanted:,} by all"
    )
