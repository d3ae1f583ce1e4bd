"""Files in the published form: what is measured of them, and what is refused."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import bert_score
import numpy as np
import pytest
import torch
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.rouge.rouge import Rouge
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)
from typer.testing import CliRunner

from kg.cli import app
from kg.errors import InputError, KGError, NotReady
from student.metrics import measuring
from student.metrics import meteor as meteor_module
from student.metrics.bert import BertScorer
from student.metrics.files import Answer, Output, format_output, in_common, match, read_outputs, read_references
from student.metrics.measuring import open_metrics
from student.metrics.meteor import MODULES, meteor
from student.metrics.overlap import overlap
from tests.repeats import only_thorough

OUTPUTS = [
    Output("PersonX eats", "xWant", "to drink some water", ("to drink some water", "to sleep"), ("to drink water",)),
    Output("PersonX eats", "xReact", "full", ("full", "none"), ("full", "satisfied and happy")),
    Output("PersonX runs ___", "xReact", "none", ("none", "tired"), ("tired", "none", "none")),
    Output("PersonX sits", "xReact", "at ease now", ("at ease now",), ("at ease",)),
]
REFERENCES = "".join(f"{one.head} @@ {one.relation}\t{'| '.join(one.tails)}\n" for one in OUTPUTS)


@pytest.fixture(autouse=True)
def no_meteor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave METEOR out where it is not asked for: its paraphrases take ten seconds to read."""
    monkeypatch.setattr(measuring, "meteor", lambda: absent("no METEOR in this test"))


@contextmanager
def absent(reason: str) -> Iterator[None]:
    raise NotReady(reason)
    yield


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return written(tmp_path, OUTPUTS), text_file(tmp_path / "references.tsv", REFERENCES)


def written(folder: Path, outputs: list[Output], name: str = "outputs.jsonl") -> Path:
    return text_file(folder / name, "".join(format_output(one) + "\n" for one in outputs))


def text_file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def answer(greedy: str, *references: str, relation: str = "r") -> Answer:
    return Answer("h", relation, greedy, (), references)


def run(*arguments: object) -> object:
    return CliRunner().invoke(app, ["student", "evaluate", *map(str, arguments)])


def refusal(*arguments: object) -> str:
    found = run(*arguments)
    assert isinstance(found.exception, InputError), found.output
    assert "\n" not in str(found.exception)
    return str(found.exception)


def test_bleu_and_rouge_are_what_one_computes_by_hand() -> None:
    found = overlap([answer("to drink some water", "to drink water"), answer("full", "full", "happy")])
    assert found["BLEU-1"] == pytest.approx(4 / 5)  # three words of four, and one of one; longer than the references
    assert found["BLEU-2"] == pytest.approx((4 / 5 * 1 / 3) ** 0.5)  # "to drink", of three pairs
    beta, precision, recall = 1.2**2, 3 / 4, 1.0
    first = (1 + beta) * precision * recall / (recall + beta * precision)
    assert found["ROUGE-L"] == pytest.approx((first + 1) / 2)


def test_a_short_answer_is_punished_once_over_the_whole_corpus() -> None:
    found = overlap([answer("to rest", "to rest at home"), answer("to rest at home now", "to rest at home now")])
    precision, brevity = 7 / 7, 2.718281828459045 ** (1 - 9 / 7)
    assert found["BLEU-1"] == pytest.approx(precision * brevity)


def test_every_figure_is_the_librarys_own(files: tuple[Path, Path]) -> None:
    content = json.loads(run("--outputs", files[0], "--references", files[1], "--json").output)
    references = {number: list(one.tails) for number, one in enumerate(OUTPUTS)}
    said = {number: [one.greedy] for number, one in enumerate(OUTPUTS)}
    bleu, _ = Bleu(4).compute_score(references, said, verbose=0)
    assert [content["overall"][f"BLEU-{n}"] for n in (1, 2, 3, 4)] == pytest.approx(bleu)
    assert content["overall"]["ROUGE-L"] == pytest.approx(Rouge().compute_score(references, said)[0])
    assert content["exact"] == 2 / 4
    assert content["prefixes"] == content["references"] == 4


def test_a_relation_is_measured_on_its_own_prefixes(files: tuple[Path, Path]) -> None:
    content = json.loads(run("--outputs", files[0], "--references", files[1], "--json").output)
    assert {name: row["prefixes"] for name, row in content["relations"].items()} == {"xReact": 3, "xWant": 1}
    assert content["relations"]["xWant"]["BLEU-1"] == pytest.approx(3 / 4)


def test_meteor_is_what_one_computes_by_hand() -> None:
    with meteor(MODULES[:3]) as scorer:
        penalty = 0.6  # of words that match, but none beside another one that does
        assert scorer.score([answer("home go", "go home")]) == pytest.approx(1 - penalty)
        assert scorer.score([answer("car", "automobile")]) == pytest.approx(0.8)  # the weight of a synonym
        assert scorer.score([answer("a cat", "a dog", "bird")]) == pytest.approx(0.25 * (1 - penalty))  # "a" counts 1/4
        both = [answer("home go", "go home"), answer("car", "automobile")]
        penalty *= (2 / 3) ** 0.2  # two chunks of three words: a text that matches as a whole has none
        assert scorer.score(both) == pytest.approx((1 + 1 + 0.8) / 3 * (1 - penalty))
        assert scorer.score([answer("a ||| b\nc", "a b c")]) == pytest.approx(1)
        assert scorer.score([answer("", "rest")]) == 0


@only_thorough
def test_meteor_knows_paraphrases_wherever_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = meteor_module._folder()  # noqa: SLF001
    monkeypatch.setattr(meteor_module, "_folder", lambda: shutil.copytree(found, tmp_path / "a folder"))
    with meteor() as scorer:
        assert scorer.score([answer("as a result of", "because of")]) == pytest.approx(0.6, abs=0.15)


def test_a_meteor_that_ends_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meteor_module, "_PARAPHRASES", "no such file")
    with pytest.raises(KGError, match="METEOR ended in the middle"), meteor() as scorer:
        scorer.score([answer(f"{number} " * 99, "rest") for number in range(10_000)])  # more than a pipe holds


def test_a_jar_that_is_another_one_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    for name in ("meteor-1.5.jar", "data/paraphrase-en.gz"):
        (tmp_path / name).write_bytes(b"another")
    monkeypatch.setattr(meteor_module, "_folder", lambda: tmp_path)
    with pytest.raises(NotReady, match="has SHA-256"), meteor():
        pass
    monkeypatch.setattr(measuring, "meteor", meteor)
    with open_metrics(None) as metrics:
        assert "SHA-256" in metrics.absent["METEOR"]
        assert "METEOR" not in metrics.of([answer("a", "a")])


def test_a_metric_that_cannot_be_had_is_absent_with_its_reason(files: tuple[Path, Path], tmp_path: Path) -> None:
    content = json.loads(run("--outputs", files[0], "--json").output)
    assert "--bertscore" in content["absent"]["BERTScore"]
    content = json.loads(run("--outputs", files[0], "--bertscore", tmp_path, "--json").output)
    assert "cannot make a model for BERTScore" in content["absent"]["BERTScore"]
    assert "BERTScore" not in content["overall"]
    assert "No BERTScore: " in run("--outputs", files[0], "--references", files[1]).output


def test_a_prefix_is_found_in_any_order_and_whatever_its_case(tmp_path: Path) -> None:
    shuffled = "".join(reversed(REFERENCES.replace("PersonX eats", " personX  Eats. ").splitlines(keepends=True)))
    answers = match(OUTPUTS, read_references(text_file(tmp_path / "references.tsv", shuffled)))
    assert [one.references for one in answers] == [one.tails for one in OUTPUTS]


def test_lines_of_the_same_prefixes_belong_together_even_if_one_comes_twice(tmp_path: Path) -> None:
    references = text_file(tmp_path / "twice.tsv", "a @@ r\tx\na @@ r\ty| z\n")
    twice = [Output("a", "r", "x"), Output("a", "r", "y")]
    assert [one.references for one in match(twice, read_references(references))] == [("x",), ("y", "z")]
    with pytest.raises(InputError, match="two outputs are about 'a' @@ 'r'"):
        match(twice, [(("a", "r"), ("x",))])


def test_outputs_that_leave_some_prefixes_out_belong_to_their_lines_too(tmp_path: Path) -> None:
    text = "a b @@ r\tx\nc @@ unknown\tu\na b @@ r\ty\nab @@ r\tz\n"
    references = read_references(text_file(tmp_path / "references.tsv", text))
    said = [Output("a b", "r", "1"), Output("a b", "r", "2"), Output("ab", "r", "3")]
    assert [one.references for one in match(said, references)] == [("x",), ("y",), ("z",)]
    assert [one.references for one in match([said[2], said[0]], references)] == [("z",), ("x", "y")], "to the letter"


def test_systems_are_measured_on_the_prefixes_that_all_of_them_answer(files: tuple[Path, Path], tmp_path: Path) -> None:
    fewer = written(tmp_path, OUTPUTS[1:3], "fewer.jsonl")
    both = run("--outputs", files[0], "--outputs", fewer, "--references", files[1], "--json").output
    first, second = map(json.loads, both.splitlines())
    assert first["prefixes"] == second["prefixes"] == 2
    assert first["overall"] == second["overall"]
    text = run("--outputs", files[0], "--outputs", fewer, "--references", files[1]).output
    assert "Measured on 2 of the 4 prefixes" in text
    with pytest.raises(InputError, match="not one prefix in common"):
        in_common([match(OUTPUTS[:1], read_references(files[1])), match(OUTPUTS[1:2], read_references(files[1]))])


def test_outputs_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_outputs(written(tmp_path, OUTPUTS)) == OUTPUTS


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"head": "a", "relation": "r"}', "greedy is missing"),
        ('{"head": "a", "relation": "r", "greedy": 3}', "greedy must be a text"),
        ('{"head": "a", "relation": "r", "greedy": ["x", "y"]}', "greedy must be a text"),
        ('{"head": "a", "relation": "r", "greedy": "x", "generations": "x"}', "generations must be a list"),
        ('{"head": "a", "relation": "r", "greedy": "x", "tails": [1]}', "tails must be a text"),
        ('{"head": " ", "relation": "r", "greedy": "x"}', "must not be blank"),
        ('{"head": "a", "relation": "r", "greedy": "\\ud800"}', "no Unicode"),
        ('["a", "r", "x"]', "an output is a JSON object"),
        ('{"head": "a", ', "line 2"),
        ('{"head": NaN, "relation": "r", "greedy": "x"}', "NaN"),
        ("[" * 100_000, "nested too deeply"),
        ("\0", "NUL"),
    ],
)
def test_a_line_that_is_no_output_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = text_file(tmp_path / "outputs.jsonl", format_output(OUTPUTS[0]) + "\n" + line + "\n")
    message = refusal("--outputs", path)
    assert reason in message
    assert "line 2" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a r\tx\n", "a prefix is 'head @@ relation'"),
        ("a @@ r @@ s\tx\n", "a prefix is 'head @@ relation'"),
        ("a @@ \tx\n", "a prefix is 'head @@ relation'"),
        ("a @@ r\n", "no reference behind a tab"),
        ("a @@ r\t | \n", "no reference behind a tab"),
        ("\n", "has no references"),
        ("b @@ r\tx\n", "the references have no prefix 'PersonX eats'"),
    ],
)
def test_references_that_cannot_be_used_are_named(files: tuple[Path, Path], text: str, reason: str) -> None:
    assert reason in refusal("--outputs", files[0], "--references", text_file(files[1], text))


def test_the_rows_of_retrieval_and_gold_stand_beside_a_system(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = SimpleNamespace(encode=lambda texts: np.ones((len(texts), 1), dtype=np.float32))
    monkeypatch.setattr("kg.encoder.Encoder", lambda *_: vectors)
    monkeypatch.setenv("KG_HOME", str(tmp_path))
    training = text_file(tmp_path / "training.tsv", "PersonX naps\txReact\ttired\nPersonX eats\txWant\tto sleep\n")
    arguments = ["--outputs", files[0], "--references", files[1], "--training", training]
    content = json.loads(run(*arguments, "--json").output)
    rows = ["most frequent tail", "nearest event", "vote of 50", "vote of 200", "gold against gold"]
    assert list(content["controls"]) == rows
    assert content["controls"]["vote of 50"]["exact"] == 1 / 4  # "tired" of the one who runs
    assert content["controls"]["gold against gold"]["prefixes"] == 2 + 3
    assert content["comet"]["N/T sro"] == content["comet"]["N/T o"] == 1
    assert content["comet"]["left_out"] == 1
    text = run(*arguments).output
    assert all(row in text for row in rows)
    assert "give --training" in run("--outputs", files[0]).output
    assert "a triple is three texts" in refusal(*arguments[:-1], text_file(training, "a\tb\n"))


def test_conceptnets_score_is_beside_what_its_classifier_tells_right(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = SimpleNamespace(encode=lambda texts: np.eye(len(texts), dtype=np.float32))
    monkeypatch.setattr("kg.encoder.Encoder", lambda *_: vectors)
    monkeypatch.setenv("KG_HOME", str(tmp_path))
    training = text_file(tmp_path / "training.tsv", "xReact\tPersonX naps\ttired\nxWant\tPersonX eats\tto sleep\n")
    rows = "xReact\tPersonX naps\ttired\t1\nxReact\tPersonX eats\trun\t0\n"
    labelled = text_file(tmp_path / "labelled.tsv", rows * 5)
    arguments = ["--outputs", files[0], "--conceptnet", training]
    content = json.loads(run(*arguments, "--labelled", labelled, "--json").output)["conceptnet"]
    assert content["prefixes"] == 4
    assert content["classifier"]["labelled"] == 10
    assert 0 <= content["tuned"] <= 1
    assert "Of 10 labelled triples it tells" in run(*arguments, "--labelled", labelled).output
    assert "labelled" not in run(*arguments).output
    assert "--labelled is for" in refusal("--outputs", files[0], "--labelled", labelled)
    assert "relation, head, tail and 0 or 1" in refusal(*arguments, "--labelled", training)


def test_options_that_contradict_one_another_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert "leave out --judgements" in refusal("--outputs", files[0], "--student", "s")
    assert "are for --outputs" in refusal("--references", files[1])
    bare = written(tmp_path, [Output("a", "r", "x")], "bare.jsonl")
    assert "give --references" in refusal("--outputs", bare)
    assert "cannot read" in refusal("--outputs", tmp_path / "none.jsonl")


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, untrained, with its tokenizer, as a user might have on disk."""
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", *sorted({word for one in OUTPUTS for word in one.greedy.split()})]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(BertConfig(vocab_size=len(words), **shape)).save_pretrained(folder)
    return folder


def test_bertscore_is_the_librarys_own_and_takes_the_nearest_reference(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = BertScorer(str(tiny_bert))
    answers = [Answer(one.head, one.relation, one.greedy, (), one.tails) for one in OUTPUTS]
    monkeypatch.setenv("TQDM_DISABLE", "1")
    said, references = [one.greedy for one in OUTPUTS], [list(one.tails) for one in OUTPUTS]
    _, _, theirs = bert_score.score(said, references, model_type=str(tiny_bert), num_layers=scorer.layer, device="cpu")
    assert scorer.layer == 2
    assert scorer.score(answers) == pytest.approx(theirs.mean().item(), abs=1e-5)
    assert scorer.score([answer("full", "at ease", "full")]) == pytest.approx(1, abs=1e-5)
    assert 0 <= scorer.score([answer("", "full")]) < 0.99


def test_bertscore_needs_no_pooler_and_no_word_of_the_tokenizer_on_its_length(
    tiny_bert: Path, tmp_path: Path, files: tuple[Path, Path]
) -> None:
    plain = BertModel.from_pretrained(tiny_bert)
    masked = BertForMaskedLM(plain.config)
    masked.bert.load_state_dict(plain.state_dict(), strict=False)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_bert, model_max_length=None)
    assert tokenizer.model_max_length > 10**9
    for part in (masked, tokenizer):
        part.save_pretrained(tmp_path / "masked")
    answers = [Answer(one.head, one.relation, one.greedy, (), one.tails) for one in OUTPUTS]
    found, expected = (BertScorer(str(one)).score(answers) for one in (tmp_path / "masked", tiny_bert))
    assert found == pytest.approx(expected, abs=1e-5)
    long = answer(" ".join(["full"] * 2_000), "full")
    assert 0 < BertScorer(str(tmp_path / "masked")).score([long]) <= 1
    assert "BERTScore" in run("--outputs", files[0], "--bertscore", tmp_path / "masked").output


def test_of_an_encoder_with_a_decoder_bertscore_takes_the_encoder(tiny_bert: Path, tmp_path: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_bert)
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **shape))
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "pair")
    scorer = BertScorer(str(tmp_path / "pair"))
    assert scorer.layer == 2
    assert scorer.score([answer("full", "full")]) == pytest.approx(1, abs=1e-5)
    assert scorer.score([answer("full", "at ease")]) < 0.99


def test_a_model_that_cannot_be_asked_is_absent_with_its_reason(
    files: tuple[Path, Path], tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OverflowError("int too big\nto convert")

    monkeypatch.setattr("bert_score.utils.bert_cos_score_idf", fails)
    content = json.loads(run("--outputs", files[0], "--bertscore", tiny_bert, "--json").output)
    assert content["absent"]["BERTScore"] == f"{tiny_bert} cannot be asked by BERTScore: int too big to convert"
    assert "BLEU-1" in content["overall"]


def test_bertscore_is_measured_with_the_model_that_is_named(files: tuple[Path, Path], tiny_bert: Path) -> None:
    content = json.loads(run("--outputs", files[0], "--bertscore", tiny_bert, "--json").output)
    assert 0 < content["overall"]["BERTScore"] < 1
    assert "BERTScore" not in content["absent"]
