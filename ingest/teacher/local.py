"""A teacher in this process: a causal language model through `transformers`, with token log-probabilities.

Requests that wait at the same moment are generated in one batch. Presence and frequency penalties are left out: the
library has none.
"""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingest.cleaning import Completion
from ingest.teacher.messages import Interface, Reply, Request, Usage
from ingest.thinking import without_thinking
from kg import strict_json
from kg.errors import InputError, MalformedReply, TeacherError
from kg.lines import file_hash
from kg.pretrained import check_causal, open_model
from kg.threads import adapt

_WEIGHTS = "model.safetensors"
_BATCH_SEQUENCES = 64


class LocalTeacher:
    """A model of this machine, or of the Hugging Face hub."""

    def __init__(self, model: str, *, seed: int = 0) -> None:
        """Describe the teacher; nothing is loaded yet.

        Args:
            model: a folder, or a name on the hub.
            seed: of the sampling.
        """
        self.model = model
        self.interface: Interface = "local"
        self.dialect: set[str] = set()
        weights = Path(model, _WEIGHTS)
        self.server = f"local:{file_hash(weights) if weights.is_file() else model}"
        self._seed = seed
        self._waiting: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            self._running.cancel()

    def request(self, name: str, text: str, count: int, settings: Mapping[str, Any]) -> Request:
        """Return the request for `count` texts that go on from a text."""
        chosen = {key: settings[key] for key in ("temperature", "top_p", "max_tokens", "stop") if key in settings}
        return Request(name, self.server, {"prompt": text, "n": count, "seed": self._seed, **chosen}, count)

    def reword(self, request: Request, words: AbstractSet[str] = frozenset()) -> Request:  # noqa: ARG002 - no dialect
        """Return the request as it is."""
        return request

    def wordings(self, request: Request) -> list[Request]:
        """Return the request as it is."""
        return [request]

    async def ask(self, request: Request) -> Reply:
        """Return the reply, generated together with the other requests that wait.

        Raises:
            TeacherError: the model cannot be loaded.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        await asyncio.sleep(0)  # let the others queue up
        while self._waiting:
            size = max(1, _BATCH_SEQUENCES // self._waiting[0][0].count)
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            try:
                replies = await asyncio.to_thread(self._generate, [request for request, _ in batch])
            except Exception as error:  # noqa: BLE001 - whoever waits has to hear of it
                fault = error if isinstance(error, TeacherError) else TeacherError(f"{self.model} failed: {error}")
                for _, future in batch:
                    if not future.done():
                        future.set_exception(fault)
                continue
            for (_, future), reply in zip(batch, replies, strict=True):
                if future.done():
                    continue
                if any(one.text.strip() for one in reply.completions):
                    future.set_result(reply)
                else:
                    future.set_exception(MalformedReply(f"{self.model} wrote nothing, thinking set aside"))

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model."""
        import torch  # noqa: PLC0415 - takes seconds
        from transformers import AutoTokenizer  # noqa: PLC0415 - takes seconds

        try:
            model = open_model("AutoModelForCausalLM", self.model, "teacher", dtype="auto")
            check_causal(model, self.model, "teacher")
            tokenizer = AutoTokenizer.from_pretrained(self.model, padding_side="left", trust_remote_code=False)
        except (InputError, OSError, ValueError, KeyError) as error:
            raise TeacherError(f"cannot load the model {self.model}: {' '.join(str(error).split())[:200]}") from error
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        torch.manual_seed(self._seed)
        return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu")

    def _generate(self, requests: Sequence[Request]) -> list[Reply]:
        """Return the replies to requests with the same parameters."""
        import torch  # noqa: PLC0415 - takes seconds

        tokenizer, model = self._loaded
        adapt()
        body, count = requests[0].body, requests[0].count
        tokens = tokenizer([request.body["prompt"] for request in requests], return_tensors="pt", padding=True)
        tokens = tokens.to(model.device)
        with torch.inference_mode():
            made = model.generate(
                **tokens, do_sample=True, temperature=body.get("temperature", 1.0),
                top_p=body.get("top_p", 1.0), top_k=0,
                max_new_tokens=body["max_tokens"], num_return_sequences=count, return_dict_in_generate=True,
                output_logits=True, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
            logprobs = model.compute_transition_scores(made.sequences, made.logits, normalize_logits=True)  # (B * n, T)
        written = made.sequences[:, tokens["input_ids"].shape[1] :].tolist()
        replies = []
        for place in range(len(requests)):
            rows = range(place * count, (place + 1) * count)
            completions = tuple(
                _completion(tokenizer, written[row], logprobs[row].tolist(), body.get("stop") or ()) for row in rows
            )
            usage = Usage(int(tokens["attention_mask"][place].sum()), sum(len(written[row]) for row in rows))
            raw = strict_json.write({"model": self.model, "choices": completions})
            replies.append(Reply(completions, raw, self.model, usage))
        return replies


def _completion(tokenizer: Any, tokens: list[int], logprobs: list[float], stops: Sequence[str]) -> Completion:
    """Return a text up to its first stop or end, with the log-probabilities of the tokens up to there."""
    finish = "length"
    if tokenizer.eos_token_id in tokens:
        end = tokens.index(tokenizer.eos_token_id)
        tokens, finish = tokens[:end], "stop"
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    spelt = tokenizer.decode(tokens, skip_special_tokens=False)  # the marks of thinking may be tokens of their own
    if without_thinking(spelt) != spelt:
        text = without_thinking(spelt)
        for token in tokenizer.all_special_tokens:
            text = text.replace(token, "")
        cut = min((text.find(stop) for stop in stops if stop in text), default=len(text))
        return Completion(text[:cut], None, "stop" if cut < len(text) else finish)
    if found := [text.find(stop) for stop in stops if stop in text]:
        text, finish = text[: min(found)], "stop"
        while tokens and len(tokenizer.decode(tokens[:-1], skip_special_tokens=True)) >= len(text.rstrip()):
            tokens = tokens[:-1]
    values = logprobs[: len(tokens)]
    mean, total = (sum(values) / len(values), sum(values)) if values else (None, None)
    return Completion(text, mean, finish, total)
