"""What only the generator does."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from kg.errors import InputError
from kg.model import Triple
from student import checkpoint
from student.generator import training as generator_training
from student.generator.model import Generator
from student.generator.tokens import EOS, GEN, MAX_EVENT_TOKENS, MAX_TAIL_TOKENS, QUESTION_TOKENS, Codec
from student.interface import Encode, Student

Memorised = dict[str, tuple[Student, Path]]
Train = Callable[..., Student]

HOSTILE = ["<xWant>", "[GEN]", "[EOS]", "a <xReact> b [GEN] c [EOS] d", "<|endoftext|>", "<unk>", "</s>", "{x}\n\t%s"]


class Cut(Exception):  # noqa: N818 - stands for a kill
    """Stands for a kill in the middle of a training."""


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    real, calls = generator_training.tail_losses, iter(range(after))

    def failing(*arguments: object) -> object:
        if next(calls, None) is None:
            raise Cut
        return real(*arguments)

    monkeypatch.setattr(generator_training, "tail_losses", failing)


def count_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    real, steps = generator_training.tail_losses, []

    def counting(*arguments: object) -> object:
        steps.append(1)
        return real(*arguments)

    monkeypatch.setattr(generator_training, "tail_losses", counting)
    return steps


def test_an_interrupted_training_goes_on_and_ends_as_a_straight_one(
    train: Train, tmp_path: Path, eight: list[Triple], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train("generator", tmp_path / "straight", epochs=6)
    steps = straight.metrics["steps"]
    with monkeypatch.context() as patch:
        interrupt(patch, steps // 2)
        with pytest.raises(Cut):
            train("generator", tmp_path / "resumed", epochs=6)
    assert (tmp_path / ".resumed.progress").is_file()
    assert not (tmp_path / "resumed").exists()
    with monkeypatch.context() as patch:
        done = count_steps(patch)
        resumed = train("generator", tmp_path / "resumed", epochs=6)
    assert 0 < len(done) < steps
    assert not (tmp_path / ".resumed.progress").exists()
    assert resumed.metrics["loss"] == straight.metrics["loss"]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("straight", "resumed")]
    assert weights[0] == weights[1]
    pairs = [(triple.head, triple.relation) for triple in eight]
    assert resumed.predict(pairs, 3) == straight.predict(pairs, 3)


@pytest.mark.parametrize("change", [{"seed": 4}, {"epochs": 7}, {"triples": "fewer"}])
def test_progress_of_other_arguments_is_not_taken_over(
    change: dict[str, object], train: Train, tmp_path: Path, eight: list[Triple], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, 8)
        with pytest.raises(Cut):
            train("generator", tmp_path / "student", epochs=6)
    options = {"epochs": 6} | (change if "triples" not in change else {"triples": eight[:6]})
    done = count_steps(monkeypatch)
    student = train("generator", tmp_path / "student", **options)
    assert len(done) == student.metrics["steps"]


@pytest.mark.parametrize("content", [b"", b"no progress at all", b"\x80\x04K\x01."])
def test_damaged_progress_means_a_fresh_start(content: bytes, train: Train, tmp_path: Path) -> None:
    (tmp_path / ".student.progress").write_bytes(content)
    train("generator", tmp_path / "student")
    train("generator", tmp_path / "other")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("student", "other")]
    assert weights[0] == weights[1]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 with its tokenizer, as a user might have on disk."""
    folder = tmp_path_factory.mktemp("base")
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    bpe.train_from_iterator(["PersonX misses the bus", "to call a taxi"], trainer)
    names = dict.fromkeys(("eos_token", "bos_token", "unk_token"), "<|endoftext|>")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, **names)
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_layer=1, n_embd=32, n_head=2, bos_token_id=end, eos_token_id=end
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_a_local_base_model_is_fine_tuned(
    base: Path, train: Train, tmp_path: Path, eight: list[Triple], encode: Encode
) -> None:
    student = train("generator", tmp_path / "student", base=str(base), epochs=5)
    assert isinstance(student, Generator)
    assert student.metrics["base"] == str(base)
    assert student.metrics["loss"][-1] < student.metrics["loss"][0]
    assert student.model.config.n_embd == 32
    assert len(student.codec) <= student.model.get_input_embeddings().num_embeddings
    opened = checkpoint.load(tmp_path / "student", encode)
    pairs = [(triple.head, triple.relation) for triple in eight]
    assert opened.predict(pairs, 3) == student.predict(pairs, 3)


def test_a_base_that_cannot_be_opened_is_an_input_error(base: Path, train: Train, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="cannot make a causal language model of"):
        train("generator", tmp_path / "student", base=str(empty))
    half = tmp_path / "half"
    half.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (half / name).write_bytes((base / name).read_bytes())
    with pytest.raises(InputError, match=r"cannot make a causal language model of .*safetensors"):
        train("generator", tmp_path / "student", base=str(half))
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    (whole / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="no tokenizer of a pre-trained model at"):
        train("generator", tmp_path / "student", base=str(whole))


def test_a_base_that_reads_too_few_tokens_is_an_input_error(base: Path, train: Train, tmp_path: Path) -> None:
    short = tmp_path / "short"
    shutil.copytree(base, short)
    config = GPT2Config.from_pretrained(base)
    config.n_positions = 32
    GPT2LMHeadModel(config).save_pretrained(short)
    with pytest.raises(InputError, match="reads 32 tokens"):
        train("generator", tmp_path / "student", base=str(short))


SMALL = {"vocab_size": 300, "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}
BART = {"vocab_size": 300, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2}  # fmt: skip
T5 = {"vocab_size": 300, "d_model": 32, "num_layers": 1, "num_heads": 2, "d_ff": 32, "d_kv": 16}
LLAMA = SMALL | {"intermediate_size": 32, "tie_word_embeddings": False, "num_key_value_heads": 2}
BERT = SMALL | {"intermediate_size": 32}

NO_GENERATORS = {
    "bart": (lambda: transformers.BartForConditionalGeneration(transformers.BartConfig(**BART)), "encoder and a dec"),
    "t5": (lambda: transformers.T5ForConditionalGeneration(transformers.T5Config(**T5)), "encoder and a decoder"),
    "bert": (lambda: transformers.BertForMaskedLM(transformers.BertConfig(**BERT)), "depends on later ones .bert"),
    "bert, no head": (lambda: transformers.BertModel(transformers.BertConfig(**BERT)), "weights are missing"),
    "roberta": (lambda: transformers.RobertaForMaskedLM(transformers.RobertaConfig(**BERT)), "depends on later ones"),
    "llama, no head": (lambda: transformers.LlamaModel(transformers.LlamaConfig(**LLAMA)), "1 .* missing.* lm_head"),
}


@pytest.mark.parametrize("name", list(NO_GENERATORS))
def test_a_base_that_is_no_whole_causal_language_model_is_refused_in_a_sentence(
    name: str, base: Path, train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, reason = NO_GENERATORS[name]
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    make().save_pretrained(folder)
    capfd.readouterr()
    with pytest.raises(InputError, match=rf"no causal language model: .*{reason}") as raised:
        train("generator", tmp_path / "student", base=str(folder))
    assert "\n" not in str(raised.value)
    assert "MISSING" not in capfd.readouterr().err  # the report of transformers


@pytest.mark.parametrize("lost", ["transformer.h.0.", "transformer.ln_f.weight", "transformer.wte.weight"])
def test_a_base_that_lacks_weights_is_refused(lost: str, base: Path, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith(lost)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"weights are missing, the first"):
        train("generator", tmp_path / "student", base=str(folder))


def test_a_base_with_weights_of_another_shape_is_refused(base: Path, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.0.attn.c_attn.weight"] = torch.zeros(32, 48)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="cannot make a causal language model of"):
        train("generator", tmp_path / "student", base=str(folder))


def test_a_pickle_and_code_of_its_own_are_refused(base: Path, train: Train, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(base, pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        train("generator", tmp_path / "student", base=str(pickled))
    coded = tmp_path / "coded"
    shutil.copytree(base, coded)
    config = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (coded / "config.json").write_text(json.dumps(config))
    (coded / "mine.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    with pytest.raises(InputError, match="cannot make a causal language model of"):
        train("generator", tmp_path / "student", base=str(coded))


def test_a_tokenizer_of_another_model_is_refused(base: Path, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    config = GPT2Config.from_pretrained(base)
    config.vocab_size = 50
    GPT2LMHeadModel(config).save_pretrained(folder)
    with pytest.raises(InputError, match="tokens and the model 50; they do not belong together"):
        train("generator", tmp_path / "student", base=str(folder))


def test_a_llama_is_a_base(base: Path, train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    folder = tmp_path / "llama"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)).save_pretrained(folder)
    student = train("generator", tmp_path / "student", base=str(folder), epochs=2)
    assert student.predict([(eight[0].head, "xWant")], 1)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_no_control_token(text: str) -> None:
    codec = Codec.fit([text, "to rest"], ["xWant", "xReact"])
    special = {*codec.special, codec.end}
    assert not special & set(codec.event(text))
    assert codec.tail(text)[-1] == codec.end
    assert not special & set(codec.tail(text)[:-1])
    assert codec.text(codec.tail(text)) == text.strip()


@pytest.mark.parametrize("text", ["<xWant>", "[GEN]", "[EOS]", "a <xReact> b [GEN] c [EOS] d"])
def test_a_hostile_text_is_no_control_token_in_the_tokenizer_of_a_base_nor_of_an_opened_student(
    text: str, base: Path, tmp_path: Path
) -> None:
    codec = Codec.of_base(str(base), ["xWant", "xReact"])
    codec.save(tmp_path)
    opened = Codec.load(tmp_path, ["xWant", "xReact"])
    assert opened.tail(text) == codec.tail(text)
    assert not {*codec.special, codec.end} & set(codec.tail(text)[:-1])
    assert not {*opened.special, opened.end} & set(opened.event(text))


def test_hostile_tails_are_learnt_as_texts(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_training, "WIDTH", 128)
    triples = [
        Triple("PersonX types", "xWant", "<xReact>"),
        Triple("PersonX reads", "xWant", "[GEN]"),
        Triple("PersonX <xWant> [GEN] to", "xReact", "[EOS]"),
    ]
    student = train("generator", tmp_path / "student", triples=triples, epochs=200)
    answers = student.predict([(triple.head, triple.relation) for triple in triples], 1)
    assert [answer[0].tail for answer in answers] == [triple.tail for triple in triples]


def test_a_hostile_event_cannot_choose_the_relation(memorised: Memorised, eight: list[Triple]) -> None:
    student, _ = memorised["generator"]
    assert isinstance(student, Generator)
    spelt = student.codec.event("PersonX misses the bus <xWant> [GEN]")
    assert spelt[-QUESTION_TOKENS:] != student.codec.question("xWant")
    assert student.predict([(f"{eight[0].head} <xWant> [GEN]", "xReact")], 2)[0]


def test_a_question_has_two_tokens_and_a_tail_ends_with_the_end() -> None:
    codec = Codec.fit(["to rest", "to rest"], ["xWant"])
    assert len(codec.question("xWant")) == QUESTION_TOKENS
    assert codec.tokenizer.convert_ids_to_tokens(list(codec.question("xWant"))) == ["<xWant>", GEN]
    assert codec.tokenizer.convert_ids_to_tokens(codec.tail("to rest")[-1]) == EOS


def test_a_long_event_keeps_its_beginning_and_a_long_tail_is_left_out(
    train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    endless = " ".join(f"w{number}" for number in range(200))
    student = train(
        "generator",
        tmp_path / "student",
        triples=[*eight, Triple(endless, "xWant", "to rest"), Triple("PersonX talks", "xWant", endless)],
    )
    assert isinstance(student, Generator)
    assert student.metrics["left_out"] == 1
    assert len(student.codec.event(endless)) == MAX_EVENT_TOKENS
    assert student.codec.tail(endless) == ()
    sums, tokens = student.logprobs([Triple("PersonX talks", "xWant", endless), Triple(endless, "xWant", "to rest")])
    assert sums[0] == tokens[0] == 0
    assert 0 < tokens[1] <= MAX_TAIL_TOKENS
    assert len(student.predict([(endless, "xWant")], 2)) == 1


def test_only_long_tails_are_nothing_to_train_on(train: Train, tmp_path: Path) -> None:
    endless = " ".join(f"w{number}" for number in range(200))
    with pytest.raises(InputError, match="every tail is longer than 48 tokens"):
        train("generator", tmp_path / "student", triples=[Triple("PersonX talks", "xWant", endless)])


def test_logprobs_do_not_depend_on_what_else_is_asked(train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    student = train("generator", tmp_path / "student")
    together, lengths = student.logprobs(eight)
    apart = [student.logprobs([triple]) for triple in eight]
    np.testing.assert_allclose(together, [sums[0] for sums, _ in apart], rtol=1e-4)
    assert lengths.tolist() == [tokens[0] for _, tokens in apart]


def test_the_order_and_duplicates_of_triples_do_not_matter(train: Train, tmp_path: Path, eight: list[Triple]) -> None:
    train("generator", tmp_path / "a")
    train("generator", tmp_path / "b", triples=[*eight[::-1], *eight])
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
