"""A language model beside the usual ways to train it, to weigh with it and to write with it, on one thread.

    python -m tests.benchmarks.language_model [--model FOLDER] [--steps N] [--prompts N] [--alone N]

FOLDER has a causal language model; without one it is that of `skd-graph[lm]`. It is a teacher as it is; for the rest
its vocabulary is cut to the starter corpus. Training comes before likelihoods and beams, so that tails end as one's
do. Each part checks that both ways come to the same, and prints both rates and their ratio.

The usual ways: `transformers.Trainer` with lengths grouped; a loop of one's own that sorts by length, pads, and
computes the head for the tails only; one pass for each triple; `generate` with padding on the left, 32 prompts at
once and one by one; `generate` on whole few-shot prompts.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from more_itertools import chunked
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, Trainer, TrainingArguments
from transformers.utils import logging

from ingest.teacher.few_shot import FewShotWriter, Settings
from ingest.teacher.few_shot import Written as Texts
from ingest.teacher.prompts import Prompts
from kg.errors import NotReady
from kg.language_model.generation import Tail, Writer
from kg.language_model.opening import DEFAULT, open_language_model
from kg.language_model.packing import Sequence_, batches, pack, tail_loss
from kg.language_model.scoring import Question, tokens, weigh
from kg.language_model.trimming import trim
from kg.readings import STARTER
from kg.vocabulary import Vocabulary

PAIRS, TAILS = 8, 8  # of a step
RATE = 3e-5
WIDTH = 4
MAX_TOKENS = 24
SAMPLES = 4
LOGPROB_OFF = 1e-3  # products are summed in another order where prompts are padded

Result = TypeVar("Result")
Row = tuple[str, str, str]
Written = tuple[tuple[int, ...], float | None]


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return CPU-seconds and the result of some work."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def say(name: str, ours: float, usual: dict[str, float], unit: str) -> None:
    """Print rates and ratios."""
    beside = ", ".join(f"{other} {rate:.2f} ({ours / rate:.1f} times)" for other, rate in usual.items())
    print(f"{name}: ours {ours:.2f} {unit} a CPU-second; {beside}", flush=True)


def rows(part: int) -> Iterator[Row]:
    """Yield event, relation and tail of every fifth event, or of the others for part 1."""
    phrases = Vocabulary.load("skd")
    for number, line in enumerate((STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()):
        found = json.loads(line)
        if (number // 7 % 5 == 0) == (part == 0):
            for tail in found["tails"]:
                yield found["event"], f", {phrases[found['relation']].phrase}", tail


class Lesson:
    """The training data, in tokens."""

    def __init__(self, tokenizer: Any) -> None:
        found = list(rows(1))
        given = tokens(tokenizer, [event + phrase for event, phrase, _ in found])
        tails = tokens(tokenizer, [f" {tail}" for _, _, tail in found], special=False)
        self.sequences: list[Sequence_] = [
            (before, (*tail, tokenizer.eos_token_id)) for before, tail in zip(given, tails, strict=True)
        ]
        self.events = [event for event, _, _ in found]

    def padded(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """Return a batch as the usual ways take it."""
        whole = [(*self.sequences[number][0], *self.sequences[number][1]) for number in numbers]
        longest = max(map(len, whole))
        batch = {
            "input_ids": torch.zeros(len(whole), longest, dtype=torch.long),
            "attention_mask": torch.zeros(len(whole), longest, dtype=torch.long),
            "labels": torch.full((len(whole), longest), -100),
        }
        for place, (number, row) in enumerate(zip(numbers, whole, strict=True)):
            start = len(self.sequences[number][0])
            batch["input_ids"][place, : len(row)] = torch.tensor(row)
            batch["attention_mask"][place, : len(row)] = 1
            batch["labels"][place, start : len(row)] = torch.tensor(row[start:])
        return batch

    def count(self, numbers: Sequence[int]) -> int:
        """Return how many tokens the tails have."""
        return sum(len(self.sequences[number][1]) for number in numbers)


def plain_loss(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Return the mean loss of the tails' tokens, with the head computed for these alone."""
    states = model.base_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False)
    wanted = batch["labels"][:, 1:] != -100
    logits = model.get_output_embeddings()(states.last_hidden_state[:, :-1][wanted])
    return torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:][wanted])


def optimised(model: Any, work: Iterator[Tensor]) -> None:
    """Take a step for each loss."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    for loss in work:
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()


def trainer(model: Any, lesson: Lesson, steps: int, folder: Path) -> tuple[Trainer, list[list[int]]]:
    """Return `transformers.Trainer` with its lengths grouped, and the list in which it says what it took."""
    taken: list[list[int]] = []

    def collate(numbers: list[dict[str, Any]]) -> dict[str, Tensor]:
        taken.append([one["number"] for one in numbers])
        return lesson.padded(taken[-1])

    data = [{"number": number, "input_ids": [*given, *tail]} for number, (given, tail) in enumerate(lesson.sequences)]
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=steps, per_device_train_batch_size=PAIRS * TAILS, learning_rate=RATE,
        train_sampling_strategy="group_by_length", remove_unused_columns=False, report_to=[], save_strategy="no",
        use_cpu=True, disable_tqdm=True, logging_strategy="no", seed=1,
    )  # fmt: skip
    return Trainer(model=model, args=arguments, train_dataset=data, data_collator=collate), taken


def train(model: Any, tokenizer: Any, steps: int) -> None:
    """Compare training; leave the model trained by our steps."""
    lesson = Lesson(tokenizer)
    epoch = batches(lesson.sequences, lesson.events, PAIRS, 2, seed=1)
    for numbers in epoch[:2]:
        ours = tail_loss(model, pack([lesson.sequences[number] for number in numbers]))
        theirs = model(**lesson.padded(numbers)).loss
        assert abs(float(ours - theirs)) < 1e-4, "packing changes no loss"
        assert abs(float(plain_loss(model, lesson.padded(numbers)) - theirs)) < 1e-4
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    few = max(2, steps // 6)

    order = sorted(range(len(lesson.sequences)), key=lambda number: sum(map(len, lesson.sequences[number])))
    sorted_batches = list(chunked(order, PAIRS * TAILS))
    random.Random(1).shuffle(sorted_batches)
    plain_seconds, _ = timed(
        lambda: optimised(model, (plain_loss(model, lesson.padded(one)) for one in sorted_batches[:few]))
    )
    plain_rate = sum(map(lesson.count, sorted_batches[:few])) / plain_seconds
    model.load_state_dict(start)

    with tempfile.TemporaryDirectory() as folder:
        usual, taken = trainer(model, lesson, few, Path(folder))
        trainer_seconds, _ = timed(usual.train)
        trainer_rate = sum(map(lesson.count, taken[:few])) / trainer_seconds
    model.load_state_dict(start)

    some = epoch[:steps]
    packed = (tail_loss(model, pack([lesson.sequences[one] for one in numbers])) for numbers in some)
    seconds, _ = timed(lambda: optimised(model, packed))
    usual_rates = {"Trainer": trainer_rate, "a plain loop": plain_rate}
    say("training", sum(map(lesson.count, some)) / seconds, usual_rates, "tail tokens")


def score(model: Any, tokenizer: Any, count: int) -> None:
    """Compare likelihoods with and without the event."""
    questions = [Question(*row) for row in list(rows(0))[:count]]
    some = questions[:: max(1, count // 60)]

    def one(given: str, tail: str) -> float:
        before, wanted = tokenizer(given)["input_ids"], tokenizer(tail, add_special_tokens=False)["input_ids"]
        wanted = [*wanted, tokenizer.eos_token_id]
        with torch.inference_mode():
            logits = model(torch.tensor([[*before, *wanted]]), logits_to_keep=len(wanted) + 1).logits[0, :-1]
        return float(logits.log_softmax(-1)[range(len(wanted)), wanted].sum())

    def usual() -> list[tuple[float, float]]:
        return [(one(q.event + q.phrase, f" {q.tail}"), one(q.phrase.lstrip(", "), f" {q.tail}")) for q in some]

    theirs, expected = timed(usual)
    ours, found = timed(lambda: list(weigh(model, tokenizer, questions, end=tokenizer.eos_token_id)))
    of = dict(zip(questions, found, strict=True))
    off = max(
        abs(value - other)
        for question, pair in zip(some, expected, strict=True)
        for value, other in zip(pair, of[question][:2], strict=True)
    )
    assert off < 1e-3, off
    say(
        f"likelihoods (at most {off:.0e} off)",
        len(questions) / ours,
        {"one pass a triple": len(some) / theirs},
        "triples",
    )


def usual_tails(
    model: Any, prompts: Sequence[Sequence[int]], rows_each: int, ends: list[int], **settings: Any
) -> list[list[Written]]:
    """Return tokens and summed log-probability of what `generate` writes, padded on the left."""
    config = GenerationConfig(**{"eos_token_id": ends, "pad_token_id": 0, "max_new_tokens": MAX_TOKENS, **settings})
    found: list[list[Written]] = []
    each = settings.get("num_return_sequences", 1)
    for some in chunked(prompts, rows_each):
        longest = max(map(len, some))
        inputs = torch.tensor([[0] * (longest - len(row)) + list(row) for row in some])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in some])
        made = model.generate(
            inputs,
            attention_mask=mask,
            generation_config=config,
            return_dict_in_generate=True,
            output_scores=each > 1,
        )
        written = made.sequences[:, longest:].tolist()
        scores = made.sequences_scores.tolist() if each > 1 and not settings.get("do_sample") else [None] * len(written)
        tails = []
        for row, value in zip(written, scores, strict=True):
            stop = next((place for place, token in enumerate(row) if token in ends), len(row))
            tails.append((tuple(row[:stop]), value and value * min(stop + 1, len(row))))
        found += chunked(tails, each)
    return found


def ties(tokenizer: Any, ours: Sequence[Sequence[Tail]], theirs: Sequence[Sequence[Written]]) -> str:
    """Return how many prompts have other tails; fail if these are more than one in a hundred, or no ties.

    A tie is another tail with the same log-probability. Of tails with the same text the first counts, as ours do.
    """
    other, off = 0, 0.0
    for mine, usual in zip(ours, theirs, strict=True):
        by_text: dict[str, Written] = {}
        for written in usual:
            if text := tokenizer.decode(written[0], skip_special_tokens=True).strip():
                by_text.setdefault(text, written)
        assert len(mine) == len(by_text)
        pairs = list(zip(mine, by_text.values(), strict=True))
        other += any(tail.tokens != written[0] for tail, written in pairs)
        off = max([off, *(abs(tail.logprob - written[1]) for tail, written in pairs if written[1] is not None)])
    assert other <= max(1, len(ours) // 100), f"{other} of {len(ours)} differ"
    assert off < LOGPROB_OFF, f"log-probabilities differ by {off}"
    return f"{other} of {len(ours)} by ties"


def write(model: Any, tokenizer: Any, count: int, alone: int) -> None:
    """Compare beams and greedy tails."""
    prompts = list(dict.fromkeys(event + phrase for event, phrase, _ in rows(0)))[:count]
    ids, ends = tokens(tokenizer, prompts), [tokenizer.eos_token_id]
    writer = Writer(model, tokenizer, max_tokens=MAX_TOKENS)
    for name, ours, settings in (
        (f"{WIDTH} beams", lambda some: writer.beams(some, WIDTH), {"num_beams": WIDTH, "num_return_sequences": WIDTH}),
        ("greedy", lambda some: [[tail] if tail.text else [] for tail in writer.greedy(some)], {}),
    ):
        seconds, found = timed(lambda ours=ours: ours(prompts))
        batched, expected = timed(lambda settings=settings: usual_tails(model, ids, 32, ends, **settings))
        single, _ = timed(lambda settings=settings: usual_tails(model, ids[:alone], 1, ends, **settings))
        usual = {"generate, 32 at once": len(ids) / batched, "one by one": alone / single}
        say(f"{name} (differ: {ties(tokenizer, found, expected)})", len(ids) / seconds, usual, "prompts")


def teach(name: str, count: int) -> None:
    """Compare the local teacher with `generate` on the same prompts, whole; the vocabulary is whole, too."""
    prompts = Prompts("paper")
    events = list(dict.fromkeys(event for event, _, _ in rows(0)))[:count]
    texts = [prompts.for_inferences(event, "xReact", alike=True).text for event in events]
    settings = prompts.settings("inferences")
    teacher = FewShotWriter(name)
    opened = open_language_model(name)
    ids = tokens(opened.tokenizer, texts)
    ends = sorted({number for text, number in opened.tokenizer.get_vocab().items() if "\n" in text or "Ċ" in text})
    ends.append(opened.tokenizer.eos_token_id)

    def ours(temperature: float, each: int) -> list[Texts]:
        found = teacher.write(texts, each, Settings.of({**settings, "temperature": temperature}))
        return [one for one in found if isinstance(one, Texts)]

    usual_settings = {"max_new_tokens": settings["max_tokens"]}
    expected = usual_tails(opened.model, ids, 8, ends, **usual_settings)
    other = 0
    for written, [(usual, _)] in zip(ours(0, 1), expected, strict=True):
        text = opened.tokenizer.decode(usual, skip_special_tokens=True)
        other += written.completions[0].text.strip() != text.strip()
    assert other <= max(1, count // 100), f"{other} of {count} differ"
    seconds, found = timed(lambda: ours(1.0, SAMPLES))
    usual_seconds, _ = timed(
        lambda: usual_tails(
            opened.model, ids, 8, ends, do_sample=True, top_p=0.9, top_k=0, num_return_sequences=SAMPLES,
            **usual_settings,
        )
    )  # fmt: skip
    tails = sum(len(one.completions) for one in found)
    usual_rates = {"generate": len(ids) * SAMPLES / usual_seconds}
    say(f"few-shot samples (greedy: {other} of {count} differ)", tails / seconds, usual_rates, "tails")


def main() -> None:
    """Measure on one thread."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--alone", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        teach(str(options.model or DEFAULT), min(options.prompts, 16))
    except NotReady as error:
        print(f"no language model to measure: {error}")
        return
    if options.model:
        model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(options.model)
    else:
        opened = open_language_model()
        model, tokenizer = opened.model, opened.tokenizer
    before, width = len(tokenizer), sum(weight.numel() for weight in model.parameters())
    seconds, tokenizer = timed(
        lambda: trim(
            model, tokenizer, [part for number in (0, 1) for row in rows(number) for part in (*row[:2], f" {row[2]}")]
        )
    )
    now = sum(weight.numel() for weight in model.parameters())
    print(f"vocabulary: {before:,} to {len(tokenizer):,} tokens, {width / 1e6:.0f} to {now / 1e6:.0f} M weights "
          f"in {seconds:.1f} CPU-seconds", flush=True)  # fmt: skip
    train(model, tokenizer, options.steps)
    model.eval()
    score(model, tokenizer, 20 * options.prompts)
    write(model, tokenizer, options.prompts, options.alone)


if __name__ == "__main__":
    main()
