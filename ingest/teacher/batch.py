"""The provider's batch interface: the requests of a run as files, at half the price, answered within a day.

    submit    what is neither paid for nor on its way goes up as JSONL files, within the provider's limits
    status    what the provider says of each batch
    collect   the replies of batches that ended go into the cache, whatever way they ended

What was sent is kept in the run's folder (`batch-1.jsonl`, …, `batches.json`), so a batch survives the process that
submitted it; a batch that was accepted just before a process was killed is found again by its metadata.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ingest.teacher.blotting import one_line
from ingest.teacher.cache import ReplyCache
from ingest.teacher.events import first_requests
from ingest.teacher.messages import Request, Usage
from ingest.teacher.openai import OpenAITeacher
from ingest.teacher.plan import Plan
from ingest.teacher.prompts import Prompts
from ingest.teacher.replies import read_reply
from ingest.teacher.transport import MOST_REPLY_BYTES
from kg import strict_json
from kg.errors import MalformedReply, NotFound, RefusedReply, TeacherError
from kg.workspace import Workspace, new_file, private_file

MOST_REQUESTS = 50_000
MOST_BYTES = 200 * 1024 * 1024
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_OK = 200
_REFUSED = (400, 422)
SHARE = 0.5
"""Share of the price that a reply by batch costs."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as the run's folder knows it.

    Attributes:
        id: at the provider.
        file: name of the file in the run's folder with what was sent.
        requests: how many.
        status: as the provider said last.
        collected: whether its results are in the cache.
        words: of the server's dialect in which it was said, learnt or on trial.
        refused: words in which what the server did not understand can be said; the next batch tries them.
    """

    id: str
    file: str
    requests: int
    status: str
    collected: bool = False
    words: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass
class Collected:
    """What collecting brought: replies kept, requests that failed, faults of whole batches."""

    kept: int = 0
    failed: int = 0
    faults: list[str] = field(default_factory=list)


class Batches:
    """The batches of one run."""

    def __init__(self, workspace: Workspace, run_id: str, plan: Plan, teacher: OpenAITeacher) -> None:
        self._folder = workspace.folder("runs", run_id)
        self._run = run_id
        self._plan = plan
        self._teacher = teacher
        self._client = teacher.batch_client()

    @property
    def known(self) -> list[Batch]:
        """The batches in the run's folder, in the order in which they were sent."""
        path = self._folder / "batches.json"
        return [Batch(**row) for row in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []

    def submit(self, cache: ReplyCache) -> list[Batch]:
        """Send what is neither paid for nor on its way; return the new batches.

        Raises:
            TeacherError: the provider has no batch interface, or refuses.
        """
        self._recover()
        self._teacher.dialect = cache.dialect(self._teacher.server)
        sent: list[Batch] = []
        missing = self._missing(cache)
        words = self._teacher.dialect | {word for batch in self.known for word in batch.refused}
        for part in _parts((self._teacher.speak(request, words) for request in missing), self._endpoint):
            number = len(self.known) + 1
            name = f"batch-{number}.jsonl"
            with new_file(self._folder / name) as draft:
                draft.write_bytes(b"".join(part))
            with self._teacher.translated(), (self._folder / name).open("rb") as file:
                uploaded = self._client.files.create(file=(name, file), purpose="batch")
                made = self._client.batches.create(
                    input_file_id=uploaded.id, endpoint=self._endpoint, completion_window="24h",
                    metadata={"run": self._run, "file": name},
                )  # fmt: skip
            batch = Batch(made.id, name, len(part), str(made.status), words=tuple(sorted(words)))
            self._save([*self.known, batch])
            sent.append(batch)
        return sent

    def refresh(self) -> list[tuple[Batch, Any]]:
        """Ask the provider about each batch that is not collected; return them with what it says.

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
        self._save(known)
        return found

    def collect(self, cache: ReplyCache) -> Collected:
        """Bring the results of all batches that ended into the cache, whatever way they ended.

        A result that is not as documented counts as failed, and so does each request without a result; the next
        `submit` sends these again.
        """
        done = Collected()
        failed_file = private_file(self._folder / "failures.jsonl")
        with failed_file.open("w", encoding="utf-8", errors="backslashreplace") as failures:
            for batch, state in self.refresh():
                if batch.status not in _ENDED:
                    continue
                requests = self._sent(batch)
                sent, refused, reasons = len(requests), set[str](), Counter[str]()
                for file in filter(None, (state.output_file_id, state.error_file_id)):
                    for line in self._lines(file):
                        if reason := self._keep(line, requests, cache, refused):
                            reasons[reason] += 1
                            row = {"request": line[:200], "reason": reason}
                            failures.write(strict_json.write(row) + "\n")
                kept = sent - len(requests)
                done.kept += kept
                done.failed += len(requests)
                if fault := self._fault(batch, state, kept, reasons):
                    done.faults.append(fault)
                if kept and batch.words:
                    cache.learn(self._teacher.server, set(batch.words))
                ended = replace(batch, collected=True, refused=tuple(sorted(refused)))
                self._save([ended if one.id == batch.id else one for one in self.known])
        return done

    def requests(self, cache: ReplyCache) -> Iterator[Request]:
        """Yield the requests of the plan; for events those of the first round."""
        teacher, prompts = self._teacher, Prompts(self._plan.prompts)
        teacher.dialect = cache.dialect(teacher.server)
        if self._plan.kind == "inferences":
            yield from self._plan.requests(teacher, prompts)
        else:
            for number in range(first_requests(self._plan)):
                yield self._plan.event_request(teacher, prompts, number)

    def _missing(self, cache: ReplyCache) -> Iterator[Request]:
        """Yield the requests that are neither paid for nor on their way, each once."""
        under_way = [batch for batch in self.known if not batch.collected]
        taken = {key for batch in under_way for key in self._sent(batch)}
        tried = [frozenset(batch.words) for batch in under_way]
        for request in self.requests(cache):
            forms = self._teacher.forms(request)
            keys = {form.key for form in (request, *forms, *(self._teacher.speak(request, words) for words in tried))}
            if not keys & taken and cache.get(*forms) is None:
                taken.add(request.key)
                yield request

    @property
    def _endpoint(self) -> Any:
        return "/v1/completions" if self._plan.interface == "completions" else "/v1/chat/completions"

    def _keep(self, line: str, requests: dict[str, Request], cache: ReplyCache, refused: set[str]) -> str | None:
        """Keep the reply in a result line, and take its request out; return the reason why not, if so."""
        try:
            row = json.loads(line)
            request = requests[row["custom_id"]]
            response = row.get("response") or {}
            if row.get("error") or response.get("status_code") != _OK:
                said = row.get("error") or (response.get("body") or {}).get("error") or response
                word = self._teacher.not_understood(said, request) if response.get("status_code") in _REFUSED else None
                refused |= {word} if word else set()  # the next submit says it otherwise
                message = said.get("message") if isinstance(said, dict) else None
                return f"the provider says: {one_line(message or strict_json.write(said), 200)}"
            body = response["body"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return one_line(f"the result line is not as documented: {type(error).__name__} {error}", 200)
        try:
            chat = self._plan.interface == "chat"
            reply = read_reply(strict_json.write(body), request.count, chat=chat, kind=self._plan.kind)
        except (MalformedReply, RefusedReply) as error:
            usage = Usage(*error.tokens) if any(error.tokens) else request.assumed_usage
            cache.lose(request, str(error), usage, self._run, share=SHARE)
            return str(error)
        usage = reply.usage if reply.usage != Usage() else request.assumed_usage
        cache.put(request, replace(reply, share=SHARE, usage=usage), self._run)
        del requests[row["custom_id"]]
        return None

    def _fault(self, batch: Batch, state: Any, kept: int, reasons: Counter[str]) -> str | None:
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
            said = one_line(self._teacher.blotted(str(message).encode("utf-8", "backslashreplace")))
            return f"batch {batch.id} {batch.status}: {place}{said}{shown}"
        if batch.status != "completed" or not kept:
            often = "".join(f"; most often: {reason}" for reason, _ in reasons.most_common(1))
            return f"batch {batch.id} {batch.status}: {kept:,} of {batch.requests:,} requests have a reply{often}"
        return None

    def uncollected(self) -> list[str]:
        """Return what is the matter with each batch that ended and was not collected yet, and what to do about it."""
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
                    self._save([*self.known, Batch(state.id, file, requests, str(state.status))])

    def _sent(self, batch: Batch) -> dict[str, Request]:
        """Return what was sent, word for word, by its custom id: the prompts may be others by now."""
        lines = (self._folder / batch.file).read_text(encoding="utf-8").split("\n")
        url, count = self._teacher.url, self._plan.samples
        rows = [json.loads(line) for line in lines if line]
        return {row["custom_id"]: Request(row["custom_id"], url, row["body"], count) for row in rows}

    def _lines(self, file_id: str) -> Iterator[str]:
        """Yield the lines of a file of the provider's, by way of the disk: it may be large."""
        with tempfile.TemporaryFile(dir=self._folder) as file:
            with (
                self._teacher.translated(),
                self._client.files.with_streaming_response.content(file_id) as response,
            ):
                for piece in response.iter_bytes():
                    file.write(piece)
            file.seek(0)
            while line := file.readline(MOST_REPLY_BYTES):
                if line.strip():
                    yield self._teacher.blotted(line)

    def _save(self, batches: list[Batch]) -> None:
        with new_file(self._folder / "batches.json") as draft:
            draft.write_text(strict_json.write([asdict(batch) for batch in batches], indent=1) + "\n", encoding="utf-8")


def _parts(requests: Iterable[Request], endpoint: str) -> Iterator[list[bytes]]:
    """Yield the lines of the requests in files' worth."""
    part: list[bytes] = []
    size = 0
    for request in requests:
        row = {"custom_id": request.key, "method": "POST", "url": endpoint, "body": request.body}
        line = (strict_json.write(row) + "\n").encode()
        if len(line) > MOST_BYTES:
            raise TeacherError(
                f"request {request.id} alone has {len(line):,} bytes; a batch file may have {MOST_BYTES:,}"
            )
        if part and (len(part) == MOST_REQUESTS or size + len(line) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield part
