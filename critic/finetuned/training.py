"""Fine-tuning on verdicts: updates of low rank and a head for each fold, stopped where validation is best.

The recipe is that of West et al. 2021, appendix A, but for what learns (`critic.finetuned.base`): sentence pairs with
the phrase of the relation, first names drawn anew, a head that begins at the share of the good, and the weights of the
epoch with the best precision at a recall of .8 on events held out for that. The verdicts of a fold's events have no
part in the weights that score them, so that verdicts on validation events may teach, too.

The work follows from seed and step alone, and its state is written now and then. So the same arguments give the same
critic, and a training that was interrupted ends as if it had not been.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from more_itertools import chunked
from numpy.typing import NDArray
from torch import Tensor

from critic.calibration import logit_of
from critic.features import Floats, Indices
from critic.finetuned.base import Base, base_named, digest_of, open_base, tokens_of
from critic.finetuned.model import Finetuned
from critic.finetuned.reading import Inputs, Lower
from critic.finetuned.wording import worded
from critic.interface import Critic, TrainingSet
from critic.likelihood.training import train_likelihood
from critic.model import folds_of
from critic.saved import FOLDS
from kg import __version__
from kg.errors import NotReady
from kg.identity import head_id, triple_id, unordered_hash
from kg.language_model.opening import DEFAULT as LANGUAGE_MODEL
from kg.progress import Bar
from kg.threads import adapt
from kg.workspace import new_file

DRAWS = 2  # of names, in training
EPOCHS = 4  # at most
_BATCH = 32  # triples a step
_RATE = 3e-4
_WARM_UP = 0.1  # share of the steps
_CLIP = 1.0
_PATIENCE = 2  # epochs without a better one
_HELD_OUT = 8  # of so many events one is for stopping
_RECALL = 0.8
_DECIMALS = 4  # of a precision, below which the loss decides
_SAVES = 4  # an epoch
_SEEDS = 2**63  # torch takes no larger one

Weights = dict[str, Tensor]
Ask = Callable[[Sequence[Inputs]], Tensor]


class _Lesson(NamedTuple):
    """What the weights of a fold learn from.

    Attributes:
        texts: of each draw of names, the inputs of all judged triples.
        good: (n,) whether each is good.
        counts: (n,) how much each counts.
        taught: rows to learn from.
        held: rows that say when to stop.
    """

    texts: Sequence[Sequence[Inputs]]
    good: NDArray[np.bool_]
    counts: Floats
    taught: Indices
    held: Indices

    @property
    def prior(self) -> float:
        """The logit of the share of the good."""
        share = np.average(self.good[self.taught], weights=self.counts[self.taught])
        return float(np.log(share / (1 - share)))


def train_finetuned(given: TrainingSet) -> Finetuned:
    """Fine-tune a base on verdicts, going on from the progress of a training with the same arguments.

    A base that is the language model from pip stands beside the likelihood critic: a regression on both logits, each
    made without the triple's own fold, gives the probability. Of another base it gives the scale alone.

    Raises:
        NotReady: the base is not installed; nearly all good or bad verdicts are of one event; or there are too few of
            the teacher's triples for the likelihood critic.
        InputError: the base cannot be used.
    """
    name, triples = base_named(given.base), given.verdicts.triples
    good, counts = given.verdicts.good, given.verdicts.counts
    dealt = folds_of(triples)
    held = np.array([int(event[24:32], 16) % _HELD_OUT == 0 for event in map(head_id, triples)])
    lessons = [_parted(good, dealt != fold, held) for fold in range(FOLDS)]
    beside = train_likelihood(given) if name == LANGUAGE_MODEL else None
    base = open_base(name, given.seed)
    phrases = {relation: given.vocabulary[relation].phrase for relation in sorted(set(given.verdicts.relations))}
    texts = [
        tokens_of(base, [worded(triple, phrases[triple.relation], draw) for triple in triples]) for draw in range(DRAWS)
    ]
    lower = Lower(base.model, base.layers, base.kept)
    for some in texts:
        lower.learn(some)
    start = {key: weight.detach().clone() for key, weight in base.learning().items()}
    about = repr((given.seed, given.role, name, digest_of(name), __version__))
    verdicts = unordered_hash(
        f"{triple_id(triple)} {one} {count}" for triple, one, count in zip(triples, good, counts, strict=True)
    )
    progress = Progress(given.progress, f"{about} {verdicts}")
    learnt: list[tuple[Weights, float]] = []
    found = np.zeros(len(triples))
    with torch.random.fork_rng(), lower.instead() as ask:
        for fold, (taught, stopping) in enumerate(lessons):
            lesson = _Lesson(texts, good, counts, taught, stopping)
            weights = progress.done.get(fold) or _fit(base, ask, start, lesson, given.seed, fold, progress)
            base.put(weights)
            mine = np.flatnonzero(dealt == fold)
            found[mine] = lesson.prior + np.mean([_asked(ask, some, mine) for some in texts], axis=0)
            learnt.append((weights, lesson.prior))
    scale = _scale(found, beside, given)
    return Finetuned(given.role, name, digest_of(name), phrases, learnt, scale, beside)


def _parted(good: NDArray[np.bool_], others: NDArray[np.bool_], held: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Return the rows that a fold's weights learn from, and those that say when to stop."""
    taught, stopping = np.flatnonzero(others & ~held), np.flatnonzero(others & held)
    if not 0 < good[stopping].sum() < len(stopping):  # too few to be told apart: all teach, and the last epoch is it
        taught, stopping = np.flatnonzero(others), stopping[:0]
    if not 0 < good[taught].sum() < len(taught):
        raise NotReady("nearly all good judged triples, or nearly all bad ones, are of one event; judge others, too")
    return taught, stopping


def _scale(found: Floats, beside: Critic | None, given: TrainingSet) -> Floats:
    """Return the weights that make a logit of the probability from those of both critics, the intercept last."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second

    columns = [found] if beside is None else [found, logit_of(beside.score(given.verdicts.triples))]
    fitted = LogisticRegression(max_iter=1_000).fit(
        np.stack(columns, axis=1), given.verdicts.good, given.verdicts.counts
    )
    return np.append(fitted.coef_[0], fitted.intercept_)


def _fit(base: Base, ask: Ask, start: Weights, lesson: _Lesson, seed: int, fold: int, progress: "Progress") -> Weights:
    """Return the weights of the best epoch."""
    base.put(start)
    weights = list(base.learning().values())
    optimiser = torch.optim.AdamW(weights, lr=_RATE, weight_decay=0.01)
    plan = [_dealt(lesson, epoch % DRAWS, hash_of(seed, fold, epoch)) for epoch in range(EPOCHS)]
    steps = sum(map(len, plan))
    kept = progress.resume(fold, base, optimiser)
    done, best, since = kept["done"], kept["best"], kept["since"]
    chosen: Weights = kept["chosen"]
    base.model.train()
    step = 0
    with Bar(total=steps, initial=done, desc=f"fine-tune {fold + 1} of {FOLDS}", unit="steps") as bar:
        for epoch, batches in enumerate(plan):
            for place, batch in enumerate(batches):
                step += 1
                if step <= done:
                    continue
                adapt()
                torch.manual_seed(hash_of(seed, fold, step) % _SEEDS)  # dropout
                for group in optimiser.param_groups:
                    group["lr"] = _RATE * min(step / max(1, _WARM_UP * steps), (steps - step + 1) / steps)
                logits = ask([lesson.texts[epoch % DRAWS][row] for row in batch]) + lesson.prior
                wanted = torch.from_numpy(lesson.good[batch]).to(logits.dtype)
                optimiser.zero_grad()
                loss: Any = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, _CLIP)
                optimiser.step()
                bar.learn(sum(len(lesson.texts[epoch % DRAWS][row]["input_ids"]) for row in batch), loss.item())
                if (place + 1) % max(1, len(batches) // _SAVES) == 0 and place + 1 < len(batches):
                    progress.save(fold, base, optimiser, done=step, best=best, since=since, chosen=chosen)
            if step < done:
                continue
            if step > done or not kept["measured"]:
                base.model.eval()
                value = _goodness(ask, lesson) if len(lesson.held) else (0.0, float(epoch))  # the last is the best
                base.model.train()
                since += 1
                if best is None or value > best:
                    best, since = value, 0
                    chosen = {name: weight.detach().clone() for name, weight in base.learning().items()}
                progress.save(fold, base, optimiser, done=step, best=best, since=since, chosen=chosen, measured=True)
                bar.set_description_str(f"fine-tune {fold + 1} of {FOLDS}, precision {best[0]:.3f}", refresh=False)
            if since >= _PATIENCE:
                break
    base.model.eval()
    progress.finish(fold, chosen)
    return chosen


def hash_of(*numbers: int) -> int:
    """Return a number that follows from some numbers and looks like chance."""
    return int(np.random.default_rng([abs(number) for number in numbers]).integers(2**62))


def _dealt(lesson: _Lesson, draw: int, seed: int) -> list[list[int]]:
    """Return the steps of an epoch: rows of equal length in each, in an order of chance.

    Each row takes part with a probability of what it counts: Adam makes steps of a size that no weight changes.
    """
    random = np.random.default_rng(seed)
    by_length: dict[int, list[int]] = defaultdict(list)
    order = random.permutation(lesson.taught)
    drawn = np.random.default_rng(hash_of(seed)).random(len(order)) < lesson.counts[order]
    for row in order[drawn].tolist():
        by_length[len(lesson.texts[draw][row]["input_ids"])].append(row)
    steps = [batch for _, rows in sorted(by_length.items()) for batch in chunked(rows, _BATCH)]
    return [steps[place] for place in random.permutation(len(steps))]


def _asked(ask: Ask, texts: Sequence[Inputs], rows: Indices) -> Floats:
    """Return the logits of some rows, without the prior: (len(rows),)."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows.tolist()):
        by_length[len(texts[row]["input_ids"])].append(place)
    found = np.empty(len(rows))
    for places in by_length.values():
        for some in chunked(places, 2 * _BATCH):
            adapt()
            with torch.no_grad():
                found[some] = ask([texts[rows[place]] for place in some]).double().numpy()
    return found


def _goodness(ask: Ask, lesson: _Lesson) -> tuple[float, float]:
    """Return precision at a recall of .8 on what is held out, and the loss there, negative, for ties."""
    from sklearn.metrics import precision_recall_curve  # noqa: PLC0415 - takes a second

    found = np.mean([_asked(ask, some, lesson.held) for some in lesson.texts], axis=0) + lesson.prior
    good, counts = lesson.good[lesson.held], lesson.counts[lesson.held]
    loss = np.average(np.logaddexp(0, np.where(good, -found, found)), weights=counts)
    precision, recall, _ = precision_recall_curve(good, found, sample_weight=counts)  # recall falls
    return round(float(precision[np.flatnonzero(recall >= _RECALL)[-1]]), _DECIMALS), -float(loss)


class Progress:
    """The state of an unfinished training, in a file; without a path nothing is kept.

    Attributes:
        done: number of a fold to its weights, of those that are finished.
    """

    def __init__(self, path: Path | None, identity: str) -> None:
        self._path, self._identity = path, identity
        self._state: dict[str, Any] = {"identity": identity, "done": {}, "now": {}}
        if path and path.is_file():
            try:
                state = torch.load(path, map_location="cpu", weights_only=True)
                if state["identity"] == identity:
                    self._state = state
            except Exception:  # noqa: BLE001, S110 - whatever is wrong with the file, training starts anew
                pass
        self.done: dict[int, Weights] = self._state["done"]

    def resume(self, fold: int, base: Base, optimiser: Any) -> dict[str, Any]:
        """Bring weights and optimiser to where they were; return what else was kept of the fold."""
        now = self._state["now"]
        if now.get("fold") != fold:
            return {"done": 0, "best": None, "since": 0, "chosen": {}, "measured": False}
        base.put(now["weights"])
        optimiser.load_state_dict(now["optimiser"])
        return dict(now)

    def save(self, fold: int, base: Base, optimiser: Any, *, measured: bool = False, **state: Any) -> None:
        """Keep how far the training of a fold is."""
        weights = {name: weight.detach() for name, weight in base.learning().items()}
        self._state["now"] = {
            "fold": fold, "weights": weights, "optimiser": optimiser.state_dict(), "measured": measured, **state
        }  # fmt: skip
        self._write()

    def finish(self, fold: int, weights: Weights) -> None:
        """Keep the weights of a fold."""
        self.done[fold] = weights
        self._state["now"] = {}
        self._write()

    def _write(self) -> None:
        if self._path:
            with new_file(self._path) as draft:
                torch.save(self._state, draft)
