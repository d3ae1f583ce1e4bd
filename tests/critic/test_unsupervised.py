"""Critics that need no verdict, on tiny models: their arithmetic beside a slow and plain one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from critic.checkpoint import load_critic, train_role
from critic.kinds import BLEND, MEAN_NLL, NLL, UNSUPERVISED
from critic.runs import train_critic
from critic.unsupervised import likelihoods, training
from critic.unsupervised.likelihoods import Likelihoods, Ranked, foretold, guessed, rank
from critic.unsupervised.mixture import WEIGHTS, Mixture, choose_weight
from critic.unsupervised.model import Unsupervised, values_of
from critic.unsupervised.wording import Wording, templates_of, variants, wordings
from kg.encoder import Encoder
from kg.errors import InputError, NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.language_model.masked import Hidden, MaskedModel, is_masked, open_masked_model, pseudo_likelihoods
from kg.language_model.opening import LanguageModel, open_language_model
from kg.languages import named
from kg.model import OVERALL, Assertion, Judgement, Triple
from kg.run import Run
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace
from tests.language_model import tiny

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "an", "the", "is", "in", "ferret", "pet", "store", "shop",
         "something", "find", "you", ".", "for", "used", "old"]  # fmt: skip
RELATIONS = Vocabulary(
    [Relation("AtLocation", "is in", templates=("in {tail} you find {head}",)), Relation("UsedFor", "is used for")]
)
TEMPLATES = {name: templates_of(RELATIONS[name]) for name in RELATIONS.names}
TRIPLES = [
    Triple("ferret", "AtLocation", "pet store"), Triple("the shop", "UsedFor", "a ferret"),
    Triple("old ferret", "AtLocation", "the old pet shop"), Triple("pet", "UsedFor", "the"),
]  # fmt: skip


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed a text by its letters."""
    vectors = np.array([[text.count(letter) + 0.1 for letter in "aeioust"] for text in texts], dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


class Models(NamedTuple):
    causal: Path
    masked: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Models:
    causal, masked = tmp_path_factory.mktemp("causal"), tmp_path_factory.mktemp("masked")
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(causal)
    tiny.llama(vocab_size=len(tokenizer)).save_pretrained(causal)
    spelling = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    spelling.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=spelling, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(masked)  # fmt: skip
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=32,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bert = BertForMaskedLM(config)
        for weight in bert.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=0.5)
        bert.save_pretrained(masked)
    return Models(causal, masked)


@pytest.fixture(autouse=True, scope="module")
def _installed(made: Models) -> Iterator[None]:
    """The tiny causal model in place of the one that comes with pip."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (likelihoods, training):
            patch.setattr(module, "DEFAULT", str(made.causal))
        patch.setattr(likelihoods, "fast_dtype", lambda: torch.float32)
        yield
    likelihoods.opened_causal.cache_clear()
    likelihoods.opened_masked.cache_clear()


@pytest.fixture(scope="module")
def causal(made: Models) -> LanguageModel:
    return open_language_model(str(made.causal))


@pytest.fixture(scope="module")
def masked(made: Models) -> MaskedModel:
    return open_masked_model(str(made.masked))


def plain(opened: LanguageModel, given: str, tail: str) -> float:
    """Return the log-probability of a text after another one: one pass, one sequence."""
    before = [2, *opened.tokenizer(given, add_special_tokens=False)["input_ids"]]
    after = opened.tokenizer(tail, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = opened.model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
    return float(logits.log_softmax(-1).gather(1, torch.tensor(after)[:, None]).sum())


def slow(opened: MaskedModel, words: Sequence[str], hidden: Sequence[int], asked: Sequence[int]) -> float:
    """Return the greedy pseudo-likelihood of some words, a pass and a sentence at a time."""
    ids = [WORDS.index(word) for word in words]
    total, hidden, asked = 0.0, list(hidden), list(asked)
    while asked:
        shown = [WORDS.index("[MASK]") if place in hidden else number for place, number in enumerate(ids)]
        with torch.inference_mode():
            found = opened.model(torch.tensor([shown])).logits[0].double().log_softmax(-1)
        best = max(asked, key=lambda place: found[place, ids[place]].item())
        total += float(found[best, ids[best]])
        hidden.remove(best)
        asked.remove(best)
    return total


def test_a_phrase_is_said_with_an_article_or_as_a_gerund_unless_it_has_its_grammar() -> None:
    assert variants("make music") == ["make music", "a make music", "making music"]
    assert variants("apple")[:2] == ["apple", "an apple"]
    for fixed in ("the old shop", "to rest", "Alex eats", "10 degrees", "someone", "a b c d e"):
        assert len(variants(fixed)) == 1
    assert variants(named("PersonX gives PersonY bread.")) == ["Alex gives Chris bread"]


def test_a_relation_is_said_by_its_phrase_and_by_the_templates_of_its_vocabulary() -> None:
    found = wordings(Triple("the ferret", "AtLocation", "the shop"), TEMPLATES["AtLocation"])
    assert [(one.text, one.begins_with_tail) for one in found] == [
        ("the ferret is in the shop.", False), ("in the shop you find the ferret.", True)
    ]  # fmt: skip
    social = wordings(Triple("PersonX rests", "xWant", "to eat"), ["{head}, so PersonX wants {tail} (for PersonY)!"])
    assert [one.text for one in social] == ["Alex rests, so Alex wants to eat (for Chris)!"]
    many = wordings(TRIPLES[0], TEMPLATES["AtLocation"])
    assert len(many) == len({one.text for one in many}) == 18


@pytest.mark.parametrize("bad", ["{head} is", "{head} {tail} {tail}", "{head} {x} {tail}", "head tail"])
def test_a_template_has_head_and_tail_each_once(bad: str) -> None:
    with pytest.raises(InputError, match="each once"):
        Relation("IsA", "is a", templates=(bad,))


def test_relations_of_conceptnet_and_of_atomic_have_templates_of_their_own() -> None:
    for vocabulary, name in (("conceptnet", "UsedFor"), ("cskg", "UsedFor"), ("skd", "xIntent"), ("ckbp", "oReact")):
        assert len(templates_of(Vocabulary.load(vocabulary)[name])) > 1


def test_greedy_pseudo_likelihood_is_what_a_direct_computation_gives(masked: MaskedModel) -> None:
    sentences = [
        (["[CLS]", "ferret", "is", "in", "pet", "store", ".", "[SEP]"], (1, 4, 5), (4, 5)),
        (["[CLS]", "the", "old", "pet", "shop", "is", "used", "for", "something", ".", "[SEP]"], (2, 3, 4), (2, 3, 4)),
        (["[CLS]", "pet", "is", "old", "[SEP]"], (1,), (1,)),
        (["[CLS]", "pet", "[SEP]"], (1,), ()),
    ]
    asked = [Hidden(tuple(map(WORDS.index, words)), hidden, guess) for words, hidden, guess in sentences]
    expected = [slow(masked, *sentence) for sentence in sentences]
    assert pseudo_likelihoods(masked, asked) == pytest.approx(expected, rel=1e-5)
    assert pseudo_likelihoods(masked, asked[::-1]) == pytest.approx(expected[::-1], rel=1e-5)


def test_a_masked_model_is_asked_in_both_directions_and_never_for_an_article(masked: MaskedModel) -> None:
    sentence = Wording("", "the ferret", "is in", "a pet store", ".", begins_with_tail=False)
    words = ["[CLS]", "the", "ferret", "is", "in", "a", "pet", "store", ".", "[SEP]"]
    given = (slow(masked, words, (6, 7), (6, 7)) + slow(masked, words, (2,), (2,))) / 2
    alone = (slow(masked, words, (2, 6, 7), (6, 7)) + slow(masked, words, (2, 6, 7), (2,))) / 2
    assert guessed(masked, [sentence])[0] == pytest.approx([given, alone, 1.5], rel=1e-5)


def test_a_causal_model_is_asked_for_the_second_phrase_with_and_without_the_first(causal: LanguageModel) -> None:
    sentences = [
        Wording("", "Alex bakes bread", ", because Alex wanted", "to eat", ".", begins_with_tail=False),
        Wording("in", "the shop", "you find", "a taxi", ".", begins_with_tail=True),
    ]
    found = foretold(causal, sentences)
    assert found[0, 0] == pytest.approx(plain(causal, "Alex bakes bread, because Alex wanted", " to eat"), rel=1e-4)
    assert found[0, 1] == pytest.approx(plain(causal, "something happens, because Alex wanted", " to eat"), rel=1e-4)
    assert found[1, 1] == pytest.approx(plain(causal, "in something you find a", " taxi"), rel=1e-4)
    assert found[1, 2] == len(causal.tokenizer(" taxi", add_special_tokens=False)["input_ids"])


def test_the_most_coherent_sentence_is_the_one_that_a_direct_computation_finds(causal: LanguageModel) -> None:
    choices = [wordings(triple, TEMPLATES[triple.relation]) for triple in TRIPLES]
    for one, some in zip(rank(causal, choices), choices, strict=True):
        lengths = [sum(len(causal.tokenizer(piece, add_special_tokens=False)["input_ids"]) for piece in wording.pieces)
                   for wording in some]  # fmt: skip
        totals = [plain(causal, "", wording.text) for wording in some]
        best = int(np.argmax([total / length**0.2 for total, length in zip(totals, lengths, strict=True)]))
        assert one.wording == some[best]
        assert (one.logprob, one.tokens) == (pytest.approx(totals[best], rel=1e-4), lengths[best])


def test_a_triple_has_weighted_information_likelihood_of_a_token_and_similarity() -> None:
    measured = np.array([[-4.0, -6.5, 2.0, -30.0, 10.0]])
    assert values_of(UNSUPERVISED, measured, np.array([0.3]), 1.5).tolist() == [[0.5, -2.0, 0.3]]
    assert values_of(NLL, measured, np.array([0.3])).tolist() == [[-30.0]]
    assert values_of(MEAN_NLL, measured, np.array([0.3])).tolist() == [[-3.0]]


def test_a_mixture_parts_two_heaps_and_a_higher_value_is_never_less_probable() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(-2, 0.5, 300), random.normal(2, 0.5, 100)])
    found = Mixture.fit(values[:, None], ["xWant"] * 400)
    given = found.probabilities(values[:, None], ["xWant"] * 400)
    assert ((given > 0.5) == (np.arange(400) >= 300)).all()
    assert (np.diff(given[np.argsort(values)]) >= 0).all()


def test_values_of_each_relation_are_on_one_scale_and_a_rare_relation_is_on_that_of_all() -> None:
    values = np.concatenate([np.linspace(-1, 1, 50), np.linspace(99, 101, 50), [50.0]])
    names = ["xWant"] * 50 + ["xNeed"] * 50 + ["xAttr"]
    found = Mixture.fit(values[:, None], names)
    given = found.probabilities(values[:, None], names)
    assert given[:50] == pytest.approx(given[50:100])
    assert set(found.scales) == {"xWant", "xNeed", OVERALL}


def test_several_values_of_a_triple_are_summed_on_one_scale() -> None:
    random = np.random.default_rng(0)
    good = np.arange(400) < 200
    weak = np.where(good, 1.0, -1.0) + random.normal(0, 0.9, 400)
    other = 1_000 * (np.where(good, 1.0, -1.0) + random.normal(0, 0.9, 400)) + 7
    relations = ["xWant"] * 400

    def found(values: Any) -> float:
        return float(((Mixture.fit(values, relations).probabilities(values, relations) > 0.5) == good).mean())

    assert found(np.column_stack([weak, other])) > 0.03 + max(found(weak[:, None]), found(other[:, None]))


def test_the_weight_has_the_largest_criterion_of_all() -> None:
    random = np.random.default_rng(0)
    marginal = -random.gamma(2.0, 4.0, 400)  # lengths make it skewed
    conditional = marginal + np.where(np.arange(400) < 200, 1.0, -1.0) + random.normal(0, 1.0, 400)
    relations = ["xWant"] * 400
    criteria = [Mixture.fit((one * conditional - marginal)[:, None], relations).aic for one in WEIGHTS]
    assert choose_weight(conditional, marginal, relations) == WEIGHTS[int(np.argmax(criteria))]
    assert min(WEIGHTS) < choose_weight(conditional, marginal, relations) < max(WEIGHTS)


@pytest.mark.parametrize("kind", [UNSUPERVISED, NLL, MEAN_NLL])
def test_a_critic_is_trained_saved_and_opened_without_any_verdict(kind: str, tmp_path: Path) -> None:
    corpus = [Triple(f"thing {n}", "AtLocation", f"shop {n * n}") for n in range(40)]
    critic = train_role([], corpus, RELATIONS, encode, seed=0, role="filter", kind=kind)
    same = train_role(
        [Judgement(corpus[0], "me", 2)], corpus, RELATIONS, encode, seed=0, role="filter", kind=kind
    )  # fmt: skip
    given = critic.score(TRIPLES)
    assert ((given >= 0) & (given <= 1)).all()
    assert len(set(given.tolist())) > 1
    assert (same.score(TRIPLES) == given).all()
    critic.save(tmp_path)
    opened = load_critic(tmp_path, encode)
    assert isinstance(opened, Unsupervised)
    assert (opened.score(TRIPLES) == given).all()
    assert opened.score([Triple("cat", "Unknown", "dog")]) == [0.5]
    with pytest.raises(InputError, match="no effect"):
        opened.score([Triple("cat", "AtLocation", "none")])


def test_the_baselines_are_the_likelihood_of_the_sentence_and_of_its_tokens(causal: LanguageModel) -> None:
    corpus = [Triple(f"thing {n}", "AtLocation", f"shop {n * n}") for n in range(40)]
    for kind, power in ((NLL, 0), (MEAN_NLL, 1)):
        critic = train_role([], corpus, RELATIONS, encode, seed=0, role="filter", kind=kind)
        ranked = rank(causal, [wordings(triple, TEMPLATES["AtLocation"]) for triple in corpus])
        values = [one.logprob / one.tokens**power for one in ranked]
        order = np.argsort(values)
        assert (np.diff(critic.score(corpus)[order]) >= 0).all()


def test_a_masked_model_is_told_by_its_configuration_and_asked_where_it_is_named(made: Models, tmp_path: Path) -> None:
    assert is_masked(str(made.masked))
    assert not is_masked(str(made.causal))
    corpus = [Triple(one, "AtLocation", other) for one in WORDS[8:] for other in WORDS[10:13]]
    critic = train_role(
        [], corpus, RELATIONS, encode, seed=0, role="filter", kind=UNSUPERVISED, base=str(made.masked)
    )  # fmt: skip
    assert len(set(critic.score(TRIPLES).tolist())) > 1
    critic.save(tmp_path)
    assert str(made.masked) in (tmp_path / "critic.json").read_text()


def test_a_triple_is_asked_about_once_by_critics_that_share(made: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counting(opened: LanguageModel, choices: Sequence[Sequence[Wording]]) -> list[Ranked]:
        asked.append(len(choices))
        return rank(opened, choices)

    monkeypatch.setattr(likelihoods, "rank", counting)
    named_models = (str(made.causal), str(made.causal))
    alone = Likelihoods(TEMPLATES, named_models).measure(TRIPLES)
    with likelihoods.shared(), likelihoods.shared():
        first = Likelihoods(TEMPLATES, named_models).measure([*TRIPLES[:2], TRIPLES[0]])
        second = Likelihoods(TEMPLATES, named_models).measure(TRIPLES)
        other = Likelihoods({"UsedFor": ("{tail} needs {head}",)}, named_models).measure(TRIPLES)
    Likelihoods(TEMPLATES, named_models).measure(TRIPLES[:1])
    assert asked == [4, 2, 2, 2, 1]
    np.testing.assert_allclose(first, alone[[0, 1, 0]], rtol=1e-5)
    np.testing.assert_allclose(second, alone, rtol=1e-5)
    assert np.isnan(other[[0, 2]]).all()
    assert not np.isclose(other[[1, 3]], alone[[1, 3]]).all()


def test_a_model_that_changed_is_not_asked(made: Models) -> None:
    asked = Likelihoods(TEMPLATES, (str(made.causal), str(made.causal)), ("older", "older"))
    with pytest.raises(InputError, match="other weights"):
        asked.measure(TRIPLES)


def test_only_kinds_that_go_by_any_model_take_one(made: Models) -> None:
    with pytest.raises(InputError, match="--kind unsupervised or nll or mean-nll or finetuned does"):
        train_role([], TRIPLES, RELATIONS, encode, seed=0, role="filter", kind=BLEND, base=str(made.causal))


def test_too_few_triples_are_counted() -> None:
    with pytest.raises(NotReady, match="needs 20, and there are 4"):
        train_role([], TRIPLES, RELATIONS, encode, seed=0, role="filter", kind=UNSUPERVISED)


def test_a_graph_without_a_verdict_gets_an_unsupervised_critic(
    graph: KnowledgeGraph, begun: Run, workspace: Workspace, tmp_path: Path, made: Models
) -> None:
    graph.add_vocabulary(RELATIONS)
    assert graph.vocabulary()["AtLocation"].templates == RELATIONS["AtLocation"].templates
    graph.add([Assertion(Triple(f"thing {n}", "AtLocation", f"shop {n}"), split="train") for n in range(30)], begun)
    options: dict[str, Any] = {"kind": UNSUPERVISED, "base": str(made.causal)}
    trained = train_critic(graph, workspace, Encoder(None, tmp_path), **options)
    assert trained.report["trained_rows"] == 0
    graph.record_judgements([Judgement(Triple("thing 1", "AtLocation", "shop 1"), "me", -1)], begun)
    assert train_critic(graph, workspace, Encoder(None, tmp_path), **options).id == trained.id
    with pytest.raises(NotReady):
        train_critic(graph, workspace, Encoder(None, tmp_path), kind=BLEND)
