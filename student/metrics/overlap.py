"""BLEU-1 to 4, ROUGE-L and CIDEr by pycocoevalcap, whose code the published figures come from.

Texts are compared as they stand: COMET-ATOMIC-2020 neither tokenised nor lower-cased them. A line end within a text is
a blank, since the library has words between blanks only; scripts without blanks are measured by letters.
"""

from collections.abc import Sequence

from kg.errors import NotReady
from kg.languages import has_unspaced, words
from student.metrics.files import Answer

NAMES = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")
INSTALL = "pip install 'skd-graph[metrics]'"


def overlap(answers: Sequence[Answer]) -> dict[str, float]:
    """Return the corpus scores of the greedy tails, by `NAMES`; CIDEr in [0, 10], the others in [0, 1].

    CIDEr weighs words by how many of these prefixes have them in a reference, so the figure for a relation alone is
    not comparable with that of all.

    Args:
        answers: at least one.

    Raises:
        NotReady: pycocoevalcap is not installed.
    """
    try:
        from pycocoevalcap.bleu.bleu import Bleu  # noqa: PLC0415 - of an extra
        from pycocoevalcap.cider.cider import Cider  # noqa: PLC0415
        from pycocoevalcap.rouge.rouge import Rouge  # noqa: PLC0415
    except ImportError as error:
        raise NotReady(f"these metrics need pycocoevalcap: {INSTALL}") from error
    references = {number: [one_line(text) for text in answer.references] for number, answer in enumerate(answers)}
    said = {number: [one_line(answer.greedy)] for number, answer in enumerate(answers)}
    bleu, _ = Bleu(4).compute_score(references, said, verbose=0)
    rouge, _ = Rouge().compute_score(references, said)
    cider, _ = Cider().compute_score(references, said)
    return {name: float(score) for name, score in zip(NAMES, [*bleu, rouge, cider], strict=True)}


def one_line(text: str) -> str:
    r"""Return a text without line ends, each a blank; with blanks between the letters of a script that has none.

    >>> one_line("to go\nhome"), one_line("家に帰る")
    ('to go home', '家 に 帰 る')
    """
    return " ".join(words(text) if has_unspaced(text) else text.splitlines())
