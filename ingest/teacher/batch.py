"""The provider's batch interface: the requests of a run as files, at half the price, answered within a day.

    submit    what is neither paid for nor on its way goes up as JSONL files, within the provider's limits
    status    what the provider says of each batch
    collect   the replies of batches that ended go into the cache, whatever way they ended

Events go round by round: when a round is collected and too few events are new, `submit` sends the next one. What was
sent is kept in the run's folder (`ingest.teacher.batch_files`), so a batch survives the process that submitted it; a
batch that was accepted just before a process was killed is found again by its metadata.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.teacher.batch_files import Batch, files_of, known_batches, save_batches, sent_requests
from ingest.teacher.blotting import one_line
from ingest.teacher.dialect import refused_word
from ingest.teacher.events import Rounds, due_requests
from ingest.teacher.lesson import Lesson
from ingest.teacher.messages import Request, Usage
from ingest.teacher.money import Estimate, estimate
from ingest.teacher.openai import OpenAITeacher
from ingest.teacher.replies import read_reply
from ingest.teacher.transport import MOST_REPLY_BYTES
from kg import strict_json
from kg.errors import InputError, MalformedReply, NotFound, RefusedReply
from kg.workspace import naming, new_file, private_file

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_OK = 200
_REFUSED = (400, 422)
SHARE = 0.5
"""Share of the price that a reply by batch costs."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The requests that `submit` would send now.

    Attributes:
        estimate: of tokens and money.
        round: number of the round of events that the requests belong to, from 1; 0 for inferences.
        events: different events that came so far.
    """

    estimate: Estimate
    round: int = 0
    events: int = 0


@dataclass
class Collected:
    """The result of collecting: replies, requests that failed, faults of whole batches."""

    replies: int = 0
    failed: int = 0
    faults: list[str] = field(default_factory=list)


class Batches:
    """The batches of one run."""

    def __init__(self, lesson: Lesson) -> None:
        """Describe the batches; nothing is sent yet.

        Raises:
            InputError: the plan's teacher takes no batches.
        """
        if not isinstance(lesson.teacher, OpenAITeacher):
            raise InputError(f"run {lesson.run.id} has a teacher in this process, which takes no batches")
        self._lesson = lesson
        self._teacher = lesson.teacher
        self._cache = lesson.cache
        self._plan = lesson.plan
        self._run = lesson.run.id
        self._folder = lesson.workspace.folder("runs", self._run)
        self._client = self._teacher.batch_client()

    @property
    def known(self) -> list[Batch]:
        """The batches in the run's folder, in the order in which they were sent."""
        return known_batches(self._folder)

    def offer(self) -> Offer:
        """Return the requests that `submit` would send now, as counts and costs."""
        self._recover()
        price = self._lesson.price(batch=True)
        rounds = Rounds(self._plan)
        needed = estimate(self._missing(rounds), price)
        return Offer(needed, rounds.number, len(rounds.events()))

    def submit(self) -> list[Batch]:
        """Send the requests that are neither paid for nor on their way; return the new batches.

        Raises:
            TeacherError: the provider has no batch interface, or refuses.
        """
        self._recover()
        sent: list[Batch] = []
        missing = list(self._missing(Rounds(self._plan)))
        words = self._teacher.dialect | {word for batch in self.known for word in batch.refused}
        for lines in files_of((self._teacher.reword(request, words) for request in missing), self._endpoint):
            number = len(self.known) + 1
            name = f"batch-{number}.jsonl"
            with new_file(self._folder / name) as draft:
                draft.write_bytes(b"".join(lines))
            with self._teacher.translated(), (self._folder / name).open("rb") as file:
                uploaded = self._client.files.create(file=(name, file), purpose="batch")
                made = self._client.batches.create(
                    input_file_id=uploaded.id, endpoint=self._endpoint, completion_window="24h",
                    metadata={"run": self._run, "file": name},
                )  # fmt: skip
            batch = Batch(made.id, name, len(lines), str(made.status), words=tuple(sorted(words)))
            save_batches(self._folder, [*self.known, batch])
            sent.append(batch)
        return sent

    def refresh(self) -> list[tuple[Batch, Any]]:
        """Ask the provider about each batch that is not collected; return these batches as the provider describes them.

        Raises:
            NotFound: nothing was submitted.
        """
        self._recover()
        known = self.known
        if not known:
            raise NotFound(f"run {self._run} has no batch; run kg ingest batch submit {self._run}")
        found = []
        for place, batch in enumerate(known):
            if batch.collected:
                continue
            with self._teacher.translated():
                state = self._client.batches.retrieve(batch.id)
            known[place] = replace(batch, status=str(state.status))
            found.append((known[place], state))
        save_batches(self._folder, known)
        return found

    def collect(self) -> Collected:
        """Bring the results of all batches that ended into the cache, whatever way they ended.

        A result that is not as documented counts as failed, and so does each request without a result; the next
        `submit` sends these again.
        """
        done = Collected()
        path = private_file(self._folder / "failures.jsonl")
        path.write_text("", encoding="utf-8")
        for batch, state in self.refresh():
            if batch.status not in _ENDED:
                continue
            requests = self._sent(batch)
            sent, refused, reasons = len(requests), set[str](), Counter[str]()
            with naming(path), path.open("a", encoding="utf-8", errors="backslashreplace") as failures:
                for file in filter(None, (state.output_file_id, state.error_file_id)):
                    for line in self._lines(file):
                        if reason := self._keep(line, requests, refused):
                            reasons[reason] += 1
                            failures.write(strict_json.write({"request": line[:200], "reason": reason}) + "\n")
            replies = sent - len(requests)
            done.replies += replies
            done.failed += len(requests)
            if fault := self._fault(batch, state, replies, reasons):
                done.faults.append(fault)
            if replies and batch.words:
                self._cache.learn(self._teacher.server, set(batch.words))
                self._teacher.dialect |= set(batch.words)
            ended = replace(batch, collected=True, refused=tuple(sorted(refused)))
            save_batches(self._folder, [ended if one.id == batch.id else one for one in self.known])
        return done

    def _missing(self, rounds: Rounds) -> Iterator[Request]:
        """Yield the requests that are neither paid for nor on their way, each once; for events up to the open round."""
        under_way = {key for batch in self.known if not batch.collected for key in self._sent(batch)}
        ended = {key for batch in self.known if batch.collected for key in self._sent(batch)}
        tried = {frozenset(batch.words) for batch in self.known}

        def keys(request: Request) -> set[str]:
            worded = (self._teacher.reword(request, words) for words in tried)
            return {request.key, *(one.key for one in (*self._teacher.wordings(request), *worded))}

        def is_open(request: Request) -> bool:
            known = keys(request)
            return bool(known & under_way) or not known & ended  # what failed is sent again, but no round waits for it

        if self._plan.kind == "events":
            due = due_requests(self._lesson, rounds, is_open)
        else:
            due = (request for request in self._lesson.requests() if not self._lesson.find(request))
        taken: set[str] = set()
        for request in due:
            if not keys(request) & under_way and request.key not in taken:
                taken.add(request.key)
                yield request

    @property
    def _endpoint(self) -> Any:
        return "/v1/completions" if self._plan.interface == "completions" else "/v1/chat/completions"

    def _keep(self, line: str, requests: dict[str, Request], refused: set[str]) -> str | None:
        """Keep the reply in a result line, and take its request out; return the reason why not, if so."""
        try:
            row = json.loads(line)
            request = requests[row["custom_id"]]
            response = row.get("response") or {}
            if row.get("error") or response.get("status_code") != _OK:
                fault = row.get("error") or (response.get("body") or {}).get("error") or response
                word = refused_word(fault, request) if response.get("status_code") in _REFUSED else None
                refused |= {word} if word else set()  # the next submit words it otherwise
                message = fault.get("message") if isinstance(fault, dict) else None
                return f"the provider says: {one_line(message or strict_json.write(fault), 200)}"
            body = response["body"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return one_line(f"the result line is not as documented: {type(error).__name__} {error}", 200)
        try:
            chat = self._plan.interface == "chat"
            reply = read_reply(strict_json.write(body), request.count, chat=chat, kind=self._plan.kind)
        except (MalformedReply, RefusedReply) as error:
            certain = any(error.tokens)
            usage = Usage(*error.tokens) if certain else request.assumed_usage
            self._cache.note_loss(request, str(error), usage, self._run, certain=certain, share=SHARE)
            return str(error)
        usage = reply.usage if reply.usage != Usage() else request.assumed_usage
        self._cache.put(request, replace(reply, share=SHARE, usage=usage), self._run)
        del requests[row["custom_id"]]
        return None

    def _fault(self, batch: Batch, state: Any, replies: int, reasons: Counter[str]) -> str | None:
        """Return what a person has to know of a batch that ended: the provider's reason, or the most frequent one."""
        errors = state.errors if isinstance(state.errors, list) else getattr(state.errors, "data", None)
        if isinstance(errors, list) and errors:
            first = (
                errors[0] if isinstance(errors[0], dict) else vars(errors[0]) if hasattr(errors[0], "__dict__") else {}
            )
            message, number = first.get("message") or errors[0], first.get("line")
            place = shown = ""
            if isinstance(number, int) and number > 0:
                lines = (self._folder / batch.file).read_text(encoding="utf-8").split("\n")
                shown = f": {lines[number - 1][:300]}" if number <= len(lines) else ""
                place = f"line {number} of {batch.file}: "
            reason = one_line(self._teacher.blotted(str(message).encode("utf-8", "backslashreplace")))
            return f"batch {batch.id} {batch.status}: {place}{reason}{shown}"
        if batch.status != "completed" or not replies:
            often = "".join(f"; most often: {reason}" for reason, _ in reasons.most_common(1))
            return f"batch {batch.id} {batch.status}: {replies:,} of {batch.requests:,} requests have a reply{often}"
        return None

    def uncollected(self) -> list[str]:
        """Return the fault of each batch that ended and was not collected yet, with the remedy."""
        todo = f"run kg ingest batch collect {self._run}, then submit what is left"
        ended = [(batch, state) for batch, state in self.refresh() if batch.status in _ENDED] if self.known else []
        faults = {batch.id: self._fault(batch, state, batch.requests, Counter()) for batch, state in ended}
        return [f"{faults[batch.id] or f'batch {batch.id} {batch.status}'}; {todo}" for batch, _ in ended]

    def _recover(self) -> None:
        """Enter batches that the provider has for this run and the folder does not know: a kill came between."""
        known = {batch.id for batch in self.known}
        files = {batch.file for batch in self.known}
        unknown = [path.name for path in sorted(self._folder.glob("batch-*.jsonl")) if path.name not in files]
        if not unknown:
            return
        with self._teacher.translated():
            for state in self._client.batches.list(limit=100):
                file = (state.metadata or {}).get("file", "")
                if (state.metadata or {}).get("run") == self._run and state.id not in known and file in unknown:
                    requests = (self._folder / file).read_bytes().count(b"\n")
                    save_batches(self._folder, [*self.known, Batch(state.id, file, requests, str(state.status))])

    def _sent(self, batch: Batch) -> dict[str, Request]:
        return sent_requests(self._folder, batch, self._teacher.url, self._plan.samples)

    def _lines(self, file_id: str) -> Iterator[str]:
        """Yield the lines of a file of the provider's, by way of the disk: it may be large."""
        with tempfile.TemporaryFile(dir=self._folder) as file:
            with (
                self._teacher.translated(),
                self._client.files.with_streaming_response.content(file_id) as response,
            ):
                for piece in response.iter_bytes():
                    with naming(self._folder):
                        file.write(piece)
            file.seek(0)
            while line := file.readline(MOST_REPLY_BYTES):
                if line.strip():
                    yield self._teacher.blotted(line)
