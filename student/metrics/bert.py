"""BERTScore (Zhang et al. 2020) by the library of its authors, with any model of `transformers`."""

import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kg.errors import InputError, NotReady
from kg.pretrained import PAIR, is_pair, open_model, without_bars
from student.metrics.files import Answer
from student.metrics.overlap import INSTALL, one_line

_BATCH = 64
_EMPTY = "."  # what is compared for an empty text, which has no token to compare
_POOLER = "pooler."  # weights of which hidden states owe nothing, and which a masked language model lacks
_MOST_TOKENS = 512  # of a text, where neither tokenizer nor model says how many it takes
_UNSAID = 1_000_000  # tokens, above which a tokenizer has no limit
_OFFSET = 2  # positions that RoBERTa does not give to tokens


class BertScorer:
    """A model that BERTScore goes by.

    Args:
        name: a folder, or a name on a model hub; its layer is the one that BERTScore's authors chose for a model of
            this name, else its last. Of an encoder with a decoder the encoder counts, as with them.

    Raises:
        NotReady: bert-score is not installed.
        InputError: there is no such model, it cannot be had, or it cannot be asked so.
    """

    def __init__(self, name: str) -> None:
        import torch  # noqa: PLC0415 - takes seconds
        from transformers import AutoTokenizer  # noqa: PLC0415

        if not importlib.util.find_spec("bert_score"):
            raise NotReady(f"BERTScore needs bert-score: {INSTALL}")
        with without_bars():
            pair = is_pair(name)
            opened = open_model(
                PAIR if pair else "AutoModel", name, "model for BERTScore", dtype=torch.float32, unneeded=(_POOLER,)
            )
            self._model = _Layer(opened.get_encoder() if pair else opened)
            self._tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        from bert_score.utils import model2layers  # noqa: PLC0415 - of an extra, and takes seconds

        layers = int(self._model.model.config.num_hidden_layers)
        self.layer = min(layers, model2layers.get(name, model2layers.get(Path(name).name, layers)))
        self._model.layer = self.layer
        self._known: dict[tuple[str, str], float] = {}
        if self._tokenizer.model_max_length > _UNSAID:
            positions = getattr(opened.config, "max_position_embeddings", None) or _MOST_TOKENS + _OFFSET
            self._tokenizer.model_max_length = min(_MOST_TOKENS, max(1, positions - _OFFSET))
        if self._tokenizer.pad_token is None:  # it is masked anyway
            self._tokenizer.pad_token = self._tokenizer.eos_token
        try:
            self._compare([("to rest", "to sleep"), ("tired", "to be tired")])
        except (AttributeError, IndexError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(f"{name} cannot be asked by BERTScore: {said}") from error

    def score(self, answers: Sequence[Answer]) -> float:
        """Return the mean of the greedy tails' F1 with the nearest of their references, without idf or rescaling.

        Args:
            answers: at least one.
        """
        pairs = [[(_text(answer.greedy), _text(one)) for one in answer.references] for answer in answers]
        self._compare([pair for some in pairs for pair in some])
        return sum(max(self._known[pair] for pair in some) for some in pairs) / len(pairs)

    def _compare(self, pairs: Sequence[tuple[str, str]]) -> None:
        from bert_score.utils import bert_cos_score_idf  # noqa: PLC0415 - of an extra

        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        if not new:
            return
        weights: dict[int, float] = defaultdict(lambda: 1.0)
        for special in (self._tokenizer.sep_token_id, self._tokenizer.cls_token_id):
            weights[special] = 0.0
        said, references = ([pair[place] for pair in new] for place in (0, 1))
        found = bert_cos_score_idf(
            self._model, references, said, self._tokenizer, weights, batch_size=_BATCH, device="cpu"
        )  # (n, 3): precision, recall, F1
        self._known.update(zip(new, found[:, 2].tolist(), strict=True))


class _Layer:
    """A model whose output is the hidden states of one layer, in the shape that the library calls."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.layer = 0

    def __call__(self, tokens: Any, *, attention_mask: Any, **_: Any) -> tuple[Any]:
        out = self.model(input_ids=tokens, attention_mask=attention_mask, output_hidden_states=True)
        return (out.hidden_states[self.layer],)

    def eval(self) -> "_Layer":
        """Return the model, which is in evaluation mode already."""
        return self

    def parameters(self) -> Any:
        """Return the model's weights."""
        return self.model.parameters()


def _text(text: str) -> str:
    return one_line(text).strip() or _EMPTY
