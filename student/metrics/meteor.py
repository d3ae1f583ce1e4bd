"""METEOR 1.5 (Denkowski and Lavie 2014), by the jar in pycocoevalcap's wheel, on the Java of the private server.

The jar and its paraphrases are run only if they are the files that were published. The table of COMET-ATOMIC-2020 has
NLTK's METEOR, another implementation with other weights: the two figures do not compare.
"""

import hashlib
import importlib.util
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kg.errors import KGError, NotReady, ServerError
from kg.server.jars import find_java
from student.metrics.files import Answer
from student.metrics.overlap import INSTALL, one_line

MODULES = ("exact", "stem", "synonym", "paraphrase")
"""What counts as the same word, the usual four; the paraphrases take ten seconds to read."""

_PARAPHRASES = "data/paraphrase-en.gz"
_SHA256 = {
    "meteor-1.5.jar": "1e57b4c72c0830ebe68558f1c799a624e96cbc1b6045c9f6330e26dcff6eafc2",
    _PARAPHRASES: "c147ac7d2c91f2fbb3ad31e4b352235061eb83145e0434daf217ee9ca5975f48",
}
_BAR = "|||"  # between the parts of a line of the jar's protocol


class Meteor:
    """A running METEOR: `with meteor() as scorer: scorer.score(answers)`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._known: dict[str, str] = {}

    def score(self, answers: Sequence[Answer]) -> float:
        """Return the corpus score of the greedy tails, in [0, 1].

        Args:
            answers: at least one.

        Raises:
            KGError: the process ended, or says something that is no score.
        """
        found = []
        for answer in answers:
            texts = [_plain(text) for text in (*answer.references, answer.greedy)]
            line = f" {_BAR} ".join(("SCORE", *texts))
            if line not in self._known:
                self._known[line] = self._ask(line)
            found.append(self._known[line])
        lines = [self._ask(f" {_BAR} ".join(("EVAL", *found)))]
        lines += [self._answer() for _ in answers]  # a score for each, and last the corpus's
        try:
            return float(lines[-1])
        except ValueError as error:
            raise KGError(f"METEOR says {lines[-1][:80]!r} where a score is due") from error

    def _ask(self, line: str) -> str:
        if self._process.stdin is None:
            raise KGError("METEOR takes no questions")
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise KGError("METEOR ended in the middle of its work") from error
        return self._answer()

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise KGError("METEOR ended in the middle of its work")
        return line.strip()


@contextmanager
def meteor(modules: Sequence[str] = MODULES) -> Iterator[Meteor]:
    """Start METEOR, and end it.

    Args:
        modules: of `MODULES`.

    Raises:
        NotReady: there is no jar, no Java, or the jar is another one than was published.
    """
    folder = _folder()
    for name, expected in _SHA256.items():
        with (folder / name).open("rb") as file:
            if (found := hashlib.file_digest(file, "sha256").hexdigest()) != expected:
                raise NotReady(f"{folder / name} has SHA-256 {found}, not {expected}; install it again: {INSTALL}")
    try:
        java, _ = find_java()
    except ServerError as error:
        raise NotReady(str(error)) from error
    command = [str(java), "-Xmx2G", "-Dfile.encoding=UTF-8", "-jar", "meteor-1.5.jar", "-", "-", "-stdio"]
    command += ["-l", "en", "-norm", "-m", " ".join(modules)]
    command += ["-a", _PARAPHRASES]  # the jar finds them by itself only in folders without a blank in their names
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    with subprocess.Popen(  # noqa: S603 - the jar whose hash was compared
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            yield Meteor(process)
        finally:
            process.kill()
            if process.stdin:
                with suppress(OSError):  # what it did not read any more
                    process.stdin.close()


def _folder() -> Path:
    package = importlib.util.find_spec("pycocoevalcap")
    places = list(package.submodule_search_locations or ()) if package else []
    folder = Path(places[0] if places else "pycocoevalcap", "meteor")
    if not all((folder / name).is_file() for name in _SHA256):
        raise NotReady(f"METEOR needs the jar of pycocoevalcap: {INSTALL}")
    return folder


def _plain(text: str) -> str:
    """Return a text that is one part of a line of the protocol, as pycocoevalcap makes it of a hypothesis."""
    return one_line(text).replace(_BAR, "").replace("  ", " ")
