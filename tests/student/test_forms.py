"""The forms in which generators are asked, on decoders and on encoders with a decoder: T5's kind and BART's."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from kg.errors import InputError
from kg.model import Triple
from student import checkpoint
from student.generator import training
from student.generator.forms import FORMS, prompt
from student.generator.model import Generator
from student.interface import Student
from tests.student.conftest import fake_encode

Train = Callable[..., Student]
WORDS = ["PersonX misses the bus", "to call a taxi", "PersonX wins the race and feels proud and happy, wants"]
EVENT = "PersonX misses the bus"
BLANK = Triple("PersonX eats ___ for lunch", "xWant", "to eat ___ again")


def saved(folder: Path, tokenizer: Tokenizer, **names: str) -> PreTrainedTokenizerFast:
    found = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    found.save_pretrained(folder)
    return found


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny T5 whose tokenizer, of the Unigram kind, puts an end behind every text."""
    folder = tmp_path_factory.mktemp("t5")
    unigram = Tokenizer(models.Unigram())
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.decoder = decoders.Metaspace()
    letters = sorted(set("".join(WORDS)) | {"▁"})
    unigram.train_from_iterator(
        WORDS, trainers.UnigramTrainer(
            vocab_size=120, initial_alphabet=letters, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>",
            show_progress=False,
        ),
    )  # fmt: skip
    unigram.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = saved(folder, unigram, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    config = T5Config(
        vocab_size=len(tokenizer) + 5, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=2, dropout_rate=0.0,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BART whose tokenizer puts tokens before and behind every text."""
    folder = tmp_path_factory.mktemp("bart")
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        WORDS, trainers.BpeTrainer(
            vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<s>", "<pad>", "</s>"], show_progress=False,
        ),
    )  # fmt: skip
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer = saved(folder, bpe, bos_token="<s>", pad_token="<pad>", eos_token="</s>")
    config = BartConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=256, dropout=0.0,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BartForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture
def bases(base: Path, t5: Path, bart: Path) -> dict[str, str | None]:
    return {"none": None, "gpt2": str(base), "t5": str(t5), "bart": str(bart)}


@pytest.mark.parametrize(
    ("of", "form"),
    [
        ("none", "natural"), ("none", "comet2019"), ("gpt2", "skd"), ("gpt2", "comet2020"), ("gpt2", "comet2019"),
        ("t5", "comet2020"), ("t5", "comet2019"), ("bart", "skd"), ("bart", "natural"),
    ],
)  # fmt: skip
def test_a_plain_tokenizer_cuts_a_prompt_as_in_training_and_the_folder_opens_again(
    of: str, form: str, bases: dict[str, str | None], train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    student = train("generator", tmp_path / "s", base=bases[of], form=form, epochs=1, triples=[*eight, BLANK])
    assert isinstance(student, Generator)
    again = checkpoint.load(tmp_path / "s", fake_encode)
    assert isinstance(again, Generator)
    tokenizer = again.codec.tokenizer
    for event in (EVENT, BLANK.head):
        for relation in again.relations:
            asked = prompt(form, event, relation, again.codec.phrases)
            assert tuple(tokenizer(asked)["input_ids"]) == again.codec.given(event, relation)
    np.testing.assert_allclose(again.logprobs([*eight, BLANK])[0], student.logprobs([*eight, BLANK])[0], rtol=1e-4)
    if form in FORMS:
        for name in FORMS[form].tokens(again.relations):
            assert tokenizer.convert_tokens_to_ids(name) in tokenizer.all_special_ids
            assert again.codec.tail(name)[:-1] != (tokenizer.convert_tokens_to_ids(name),)  # a text stays a text
    else:
        assert again.codec.phrases


@pytest.mark.parametrize(("of", "form"), [("gpt2", "comet2020"), ("t5", "skd"), ("bart", "comet2019")])
def test_a_form_is_learnt_and_answered(
    of: str, form: str, bases: dict[str, str | None], train: Train, tmp_path: Path, eight: list[Triple],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(training, "OF_BASE", training.OF_BASE._replace(rate=0.02))
    student = train("generator", tmp_path / "s", base=bases[of], form=form, epochs=25)
    assert student.metrics["loss"][-1] < student.metrics["loss"][0] - 0.2
    given = student.predict([(eight[0].head, "xWant"), (eight[1].head, "xReact")], 2)
    sums, tokens = student.logprobs([Triple(EVENT, "xWant", one.tail) for one in given[0]])
    assert [one.logprob for one in given[0]] == pytest.approx((sums / tokens).tolist())
    assert isinstance(student, Generator)
    ((greedy, beams),) = student.search([(eight[0].head, "xWant")], 2)
    assert isinstance(greedy, str)
    assert len(beams) == 2


def test_an_encoder_with_a_decoder_weighs_a_tail_as_the_plain_model_does(
    t5: Path, train: Train, tmp_path: Path, eight: list[Triple]
) -> None:
    student = train("generator", tmp_path / "s", base=str(t5), epochs=1)
    assert isinstance(student, Generator)
    sums, lengths = student.logprobs(eight)
    for triple, found, length in zip(eight, sums, lengths, strict=True):
        given, tail = student.codec.given(triple.head, triple.relation), student.codec.tail(triple.tail)
        with torch.inference_mode():
            loss = student.model(input_ids=torch.tensor([given]), labels=torch.tensor([tail])).loss
        assert (found / length, length) == (pytest.approx(-float(loss), rel=1e-4), len(tail))


def test_rows_of_new_tokens_are_trained_and_tokens_begin_as_their_words(
    base: Path, train: Train, tmp_path: Path
) -> None:
    rows = []
    for epochs in (1, 3):
        student = train("generator", tmp_path / str(epochs), base=str(base), form="comet2020", epochs=epochs)
        assert isinstance(student, Generator)
        number = student.codec.tokenizer.convert_tokens_to_ids("xWant")
        rows.append(student.model.get_input_embeddings().weight[number].detach())
    assert not torch.allclose(rows[0], rows[1])


def test_a_folder_answers_in_a_process_without_this_software(t5: Path, train: Train, tmp_path: Path) -> None:
    train("generator", tmp_path / "s", base=str(t5), form="skd", epochs=1)
    script = (
        "import sys, json\n"
        "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer\n"
        f"folder, asked = {str(tmp_path / 's')!r}, {prompt('skd', EVENT, 'xWant', {})!r}\n"
        "tokenizer = AutoTokenizer.from_pretrained(folder)\n"
        "model = AutoModelForSeq2SeqLM.from_pretrained(folder)\n"
        "given = tokenizer(asked, return_tensors='pt')['input_ids']\n"
        "output = model.generate(input_ids=given, max_new_tokens=8, num_beams=2)\n"
        "ours = [name for name in sys.modules if name.split('.')[0] in ('kg', 'student')]\n"
        "print(json.dumps([given[0].tolist(), len(output[0]) > 1, ours]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    student = checkpoint.load(tmp_path / "s", fake_encode)
    assert isinstance(student, Generator)
    assert json.loads(done.stdout.splitlines()[-1]) == [list(student.codec.given(EVENT, "xWant")), True, []]


def test_no_other_form_and_no_form_of_a_ranker(train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no form 'comet2021'; there are natural, skd, comet2020, comet2019"):
        train("generator", tmp_path / "s", form="comet2021")
    with pytest.raises(InputError, match="a ranker is asked in no form"):
        train("ranker", tmp_path / "s", form="skd")
