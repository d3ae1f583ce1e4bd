"""All published metrics of one system: overall, by relation, and why one is absent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from kg.errors import InputError, NotReady
from student.metrics.bert import BertScorer
from student.metrics.comet import Triples, bleu_2, novelty
from student.metrics.diversity import diversity
from student.metrics.files import Answer, by_relation
from student.metrics.meteor import meteor
from student.metrics.overlap import overlap

Metric = Callable[[Sequence[Answer]], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Metrics:
    """What can be measured here: functions of answers to named figures, and by name the reason why one is `absent`."""

    present: Sequence[Metric]
    absent: Mapping[str, str]

    def of(self, answers: Sequence[Answer]) -> dict[str, float]:
        """Return every figure of answers, at least one."""
        return {name: value for metric in self.present for name, value in metric(answers).items()}

    def measure(self, answers: Sequence[Answer], training: Triples | None) -> dict[str, Any]:
        """Return the figures of a system's answers.

        Args:
            answers: at least one.
            training: head, relation, tail of what the system was trained on, where that is known.

        Returns:
            `prefixes`, their number; `exact`, the share of greedy tails that are a reference; `overall` figures;
            `relations`, for each its `prefixes` and the same figures over these alone; `absent`, name to reason;
            `comet`, as `bleu_2` and, with training, `novelty` return it; `diversity`.
        """
        comet = bleu_2(answers) | (novelty(answers, training) if training is not None else {})
        relations = {
            relation: {"prefixes": len(some), "exact": _exact(some)} | self.of(some)
            for relation, some in by_relation(answers).items()
        }
        return {
            "prefixes": len(answers),
            "exact": _exact(answers),
            "overall": self.of(answers),
            "relations": relations,
            "absent": dict(self.absent),
            "comet": comet,
            "diversity": diversity(answers),
        }


@contextmanager
def open_metrics(bert: str | None) -> Iterator[Metrics]:
    """Start what the metrics need, and end it.

    Args:
        bert: the model for BERTScore, a folder or a name on a hub; without it, BERTScore is absent.
    """
    absent = {}
    present: list[Metric] = [overlap]
    with ExitStack() as stack:
        try:
            scorer = stack.enter_context(meteor())
            present.append(lambda answers: {"METEOR": scorer.score(answers)})
        except NotReady as error:
            absent["METEOR"] = str(error)
        if bert is None:
            absent["BERTScore"] = "no model is named: --bertscore NAME|PATH"
        else:
            try:
                compared = BertScorer(bert)
                present.append(lambda answers: {"BERTScore": compared.score(answers)})
            except (InputError, NotReady) as error:
                absent["BERTScore"] = str(error)
        yield Metrics(present, absent)


def _exact(answers: Sequence[Answer]) -> float:
    return sum(answer.greedy in answer.references for answer in answers) / len(answers)
