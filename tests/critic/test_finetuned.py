"""The fine-tuned kind on tiny bases, in a small world in which a word of the tail decides."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from critic.checkpoint import load_critic, train_role
from critic.finetuned import base as bases
from critic.finetuned import training
from critic.finetuned.base import base_named, open_base, tokens_of
from critic.finetuned.model import Finetuned
from critic.finetuned.reading import Lower, eight_bit, read
from critic.finetuned.wording import NAMES, worded
from critic.interface import FastCritic, TrainingSet
from critic.kinds import BLEND, FINETUNED, KINDS
from critic.model import folds_of
from critic.verdicts import verdicts_on
from kg.errors import InputError
from kg.language_model.terms import GEMMA
from kg.model import NOTHING, Judgement, Triple
from kg.vocabulary import Vocabulary
from tests.critic.weighing import moved_by_turned_verdicts
from tests.language_model import tiny
from tests.repeats import only_thorough

VOCABULARY = Vocabulary.load("skd")
WORDS = ("rest", "call", "run", "sleep", "eat", "drive", "sing", "walk")
GOOD, BAD = ("happily", "calmly"), ("purple", "sideways")
_SHAPE: dict[str, Any] = {
    "hidden_size": 32, "hidden_dropout_prob": 0.0, "intermediate_size": 48, "num_attention_heads": 4,
    "max_position_embeddings": 64,
}  # fmt: skip


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.ones((len(texts), 4), dtype=np.float32) / 2


def judgements(events: int = 40) -> list[Judgement]:
    random = np.random.default_rng(0)
    return [
        Judgement(
            Triple(f"PersonX {random.choice(WORDS)}s {event}", "xWant", f"to {random.choice(WORDS)} {word}"),
            "me",
            value,
        )
        for event in range(events)
        for word, value in ((random.choice(GOOD), 2), (random.choice(BAD), -2))
    ]


def word_tokenizer() -> Any:
    """A token a word, a pair of texts as BERT has them."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = [
        *WORDS,
        *(f"{word}s" for word in WORDS),
        *GOOD,
        *BAD,
        *NAMES,
        "to",
        ".",
        "want",
        "wants",
        "result",
        "as",
        ",",
    ]
    made = Tokenizer(models.WordLevel({word: row for row, word in enumerate([*special, *words])}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture(scope="module")
def encoder_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence encoder: no head."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = word_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), num_hidden_layers=1, initializer_range=0.3, **_SHAPE)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def causal_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causal")
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(folder)
    tiny.gemma3(vocab_size=len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_RATE", 1e-2)
        patch.setattr(training, "_BATCH", 16)
        patch.setattr(training, "EPOCHS", 12)
        patch.setattr(training, "_PATIENCE", 12)
        yield


def train(base: Path, progress: Path | None = None, seed: int = 0) -> Finetuned:
    judged = judgements()
    corpus = [one.triple for one in judged]
    critic = train_role(
        judged, corpus, VOCABULARY, encode, seed=seed, role="filter", kind=FINETUNED, base=str(base), progress=progress
    )
    assert isinstance(critic, Finetuned)
    return critic


@pytest.fixture(scope="module")
def trained(encoder_base: Path) -> Finetuned:
    return train(encoder_base)


def test_it_learns_what_makes_a_tail_good_on_events_it_never_saw(trained: Finetuned) -> None:
    new = [Triple(f"PersonX sings {event}", "xWant", f"to walk {word}") for event in range(12) for word in GOOD + BAD]
    scores, fast = trained.score(new), trained.score_fast(new)
    good = np.array([triple.tail.endswith(GOOD) for triple in new])
    assert scores[good].min() > scores[~good].max()
    assert fast[good].mean() > fast[~good].mean() + 0.5
    assert np.median(np.abs(scores - fast)) < 0.05
    assert scores[good].mean() > 0.8
    assert scores[~good].mean() < 0.2


def test_a_saved_one_is_the_same_critic_and_a_score_does_not_depend_on_its_neighbours(
    trained: Finetuned, tmp_path: Path, encoder_base: Path
) -> None:
    triples = [one.triple for one in judgements()][:20]
    trained.save(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    loaded = load_critic(tmp_path, encode)
    assert isinstance(loaded, FastCritic)
    np.testing.assert_allclose(loaded.score(triples), trained.score(triples), atol=2e-6)
    np.testing.assert_allclose(loaded.score(triples[3:4]), trained.score(triples)[3:4], atol=2e-6)
    (tmp_path / "critic.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match="damaged"):
        load_critic(tmp_path, encode)
    with pytest.raises(InputError, match="only phrases"):
        trained.score([Triple("PersonX eats", "xWant", NOTHING)])
    changed = Finetuned("filter", str(encoder_base), "another", {}, trained.learnt, trained.scale)
    with pytest.raises(InputError, match="other weights"):
        changed.score(triples)


def test_no_verdict_on_an_event_moves_the_scores_of_that_event(encoder_base: Path, trained: Finetuned) -> None:
    judged = judgements()
    flipped = [*judged[:-1], Judgement(judged[-1].triple, "me", -judged[-1].value)]
    other = train_role(
        flipped, [one.triple for one in judged], VOCABULARY, encode, seed=0, role="filter", kind=FINETUNED,
        base=str(encoder_base),
    )  # fmt: skip
    assert isinstance(other, Finetuned)
    fold = int(folds_of([judged[-1].triple])[0])
    for name, weight in trained.learnt[fold][0].items():
        torch.testing.assert_close(other.learnt[fold][0][name], weight, rtol=0.01, atol=1e-3)
    moved = (fold + 1) % len(trained.learnt)
    assert any(
        not torch.allclose(other.learnt[moved][0][name], weight, rtol=0.01, atol=1e-3)
        for name, weight in trained.learnt[moved][0].items()
    )


def test_an_interrupted_training_ends_as_if_it_had_not_been(
    encoder_base: Path, trained: Finetuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, calls = tmp_path / "progress", 0
    adapt = training.adapt

    def interrupted() -> int:
        nonlocal calls
        calls += 1
        if calls == 110:  # in the second fold
            raise KeyboardInterrupt
        return adapt()

    monkeypatch.setattr(training, "adapt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(encoder_base, progress)
    state = torch.load(progress, weights_only=True)
    assert list(state["done"]) == [0]
    assert state["now"]["fold"] == 1
    resumed = train(encoder_base, progress)
    for (mine, _), (theirs, _) in zip(resumed.learnt, trained.learnt, strict=True):
        for name, weight in mine.items():
            torch.testing.assert_close(weight, theirs[name], rtol=0.01, atol=1e-3)
    progress.write_bytes(b"nonsense")
    assert not training.Progress(progress, "whatever").done


def test_states_of_lower_layers_are_those_of_the_whole_model(causal_base: Path) -> None:
    base = open_base(str(causal_base), 0)
    assert (base.is_causal, base.kept, len(base.layers)) == (True, 1, 2)
    torch.nn.init.normal_(base.model.get_base_model().score.weight)
    texts = tokens_of(base, [("Alex shears a sheep", "because Alex wanted to save the wool"), ("a", "b c")])
    whole = read(base.model, texts)
    lower = Lower(base.model, base.layers, base.kept)
    lower.learn(texts)
    with lower.instead() as ask:
        for text, wanted in zip(texts, whole, strict=True):
            assert ask([text]).item() == pytest.approx(wanted, abs=1e-5)
    np.testing.assert_allclose(read(base.model, texts), whole, atol=1e-6)
    assert np.ptp(whole) > 0.1
    names = base.learning()
    assert all("lora" in name or "score" in name for name in names)
    assert {int(name.split("layers.")[1].split(".")[0]) for name in names if "layers." in name} == {1}


class Half:
    """A critic that knows half of what makes a tail good."""

    role = "filter"

    def score(self, triples: Sequence[Triple]) -> NDArray[np.float64]:
        return np.array([0.9 if triple.tail.endswith(GOOD[0]) else 0.3 for triple in triples])

    score_fast = score

    def save(self, folder: Path) -> None:
        (folder / "critic.json").write_text('{"kind": "half"}', encoding="utf-8")


@only_thorough
def test_the_language_model_from_pip_stands_beside_the_likelihood_critic(
    causal_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(training, "EPOCHS", 5)
    monkeypatch.setattr(training, "LANGUAGE_MODEL", str(causal_base))
    monkeypatch.setattr(training, "train_likelihood", lambda _: Half())
    monkeypatch.setitem(KINDS, "half", SimpleNamespace(load=lambda *_: Half()))  # type: ignore[arg-type]
    judged = judgements()
    critic = train(causal_base)
    scores = critic.score([one.triple for one in judged])
    good = np.array([one.is_good for one in judged])
    assert scores[good].mean() > scores[~good].mean() + 0.2
    assert len(critic.scale) == 3
    assert critic.scale[1] > 0
    critic.save(tmp_path)
    few = [one.triple for one in judged[:4]]
    np.testing.assert_allclose(load_critic(tmp_path, encode).score(few), critic.score(few), atol=2e-6)
    (tmp_path / "beside" / "critic.json").unlink()
    with pytest.raises(InputError, match="damaged"):
        load_critic(tmp_path, encode)


def test_a_head_of_another_size_is_made_anew_and_the_body_is_whole_or_refused(tmp_path: Path) -> None:
    """As `roberta-large-mnli`, whose head has three outputs."""
    tokenizer = word_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    config = RobertaConfig(vocab_size=len(tokenizer), num_hidden_layers=2, num_labels=3, **_SHAPE)
    model = RobertaForSequenceClassification(config)
    model.save_pretrained(tmp_path)
    base = open_base(str(tmp_path), 0)
    texts = tokens_of(base, [("Alex eats", "so Alex wants to sleep")])
    assert set(texts[0]) == {"input_ids", "token_type_ids"} or set(texts[0]) == {"input_ids"}
    np.testing.assert_array_equal(read(base.model, texts), [0.0])
    inside = base.model.get_base_model()
    assert inside.classifier.out_proj.weight.shape == (1, 32)
    torch.testing.assert_close(inside.classifier.dense.weight, model.classifier.dense.weight)
    config.num_hidden_layers = 3
    config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="weights are missing"):
        open_base(str(tmp_path), 0)


def test_weights_of_eight_bits_say_nearly_the_same(encoder_base: Path) -> None:
    base = open_base(str(encoder_base), 0)
    torch.manual_seed(0)
    torch.nn.init.normal_(base.model.get_base_model().classifier.weight)
    pairs = [worded(one.triple, "so they want", 0) for one in judgements()]
    texts = tokens_of(base, pairs)
    whole, small = read(base.model, texts), read(eight_bit(base.merged()), texts)
    assert np.corrcoef(whole, small)[0, 1] > 0.99
    assert not np.array_equal(whole, small)


def test_the_lowest_layer_keeps_its_weights_whole() -> None:
    model = BertForSequenceClassification(BertConfig(vocab_size=9, num_hidden_layers=3, num_labels=1, **_SHAPE))
    kinds = {name: type(one) for name, one in eight_bit(model).named_modules() if hasattr(one, "in_features")}
    assert {name for name, kind in kinds.items() if kind is torch.nn.Linear} == {
        name for name in kinds if ".layer.0." in name
    }
    assert any(".layer.2." in name for name in kinds)


def test_names_differ_by_pass_and_person_and_follow_from_the_triple() -> None:
    triple = Triple("PersonX meets PersonY", "xWant", "to hug PersonY")
    first, second = worded(triple, "as a result, PersonX wants", 0)
    one, _, two = first.split()
    assert {one, two} < set(NAMES)
    assert one != two
    assert second == f"as a result, {one} wants to hug {two}"
    assert worded(triple, "as a result, PersonX wants", 0) == (first, second)
    assert len({worded(triple, "so", number)[0] for number in range(5)}) > 3


def test_bases_have_names_and_terms_and_other_kinds_take_none(
    encoder_base: Path, causal_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "is_available", lambda: False)
    assert base_named(None) == "minilm"
    monkeypatch.setattr(bases, "is_available", lambda: True)
    assert base_named(None) == "gemma"
    assert [bases.origin_of_base(name) for name in ("gemma", str(causal_base), "minilm")] == [GEMMA, GEMMA, None]
    monkeypatch.chdir(encoder_base.parent)
    assert base_named(encoder_base.name) == str(encoder_base.resolve())
    with pytest.raises(InputError, match=r"goes by no model that is named; .* or finetuned does"):
        train_role(judgements(), [], VOCABULARY, encode, seed=0, role="filter", kind=BLEND, base="minilm")
    with pytest.raises(InputError, match="critic's base"):
        train(encoder_base.parent / "nothing")


def test_verdicts_that_count_little_teach_little(encoder_base: Path) -> None:
    verdicts = verdicts_on(judgements())
    given = TrainingSet(verdicts, list(verdicts.triples), VOCABULARY, encode, "filter", 0, base=str(encoder_base))
    little, as_all = moved_by_turned_verdicts(KINDS[FINETUNED].train, given)
    assert little < 0.01
    assert as_all > 0.05
