"""The way to a model hub, for students and data sets; `huggingface_hub`'s settings say where it is, and who sends."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from kg.errors import InputError, NotReady

_SECRET = re.compile(r"//[^/@\s]*@")  # of an address with a user and a password before the host


def send(folder: Path, name: str, kind: Literal["model", "dataset"], *, message: str, public: bool = False) -> str:
    """Send a folder to a hub, that of `HF_ENDPOINT`, with `HF_TOKEN` or the user's login, and return its address there.

    Args:
        folder: what is sent, with its card.
        name: of the repository, OWNER/NAME; it is made if there is none, an older version stays in its history.
        kind: of repository.
        message: of the version.
        public: whether anybody may see a repository that is made; one that is there stays as it is.

    Raises:
        InputError: the name is none, or the hub refused.
        NotReady: the hub cannot be reached.
    """
    with _errors(name):
        from huggingface_hub import HfApi  # noqa: PLC0415 - takes a second

        hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
        made = hub.create_repo(name, repo_type=kind, private=not public, exist_ok=True)
        hub.upload_folder(
            repo_id=made.repo_id, repo_type=kind, folder_path=folder, commit_message=message, delete_patterns="*"
        )  # what an older version had beside goes, but for what is in this one
        return _SECRET.sub("//", str(made))


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """Say in one line what a hub, or the way to it, says."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415 - takes a second

    root: type[Exception] = HfHubHTTPError.__bases__[0]  # of the errors of the HTTP library below, whichever that is
    invalid: type[Exception] = sys.modules[root.__module__.partition(".")[0]].InvalidURL

    try:
        yield
    except HFValidationError as error:
        raise InputError(f"{name[:80]!r} is no name of a repository: {_line(error)}") from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        hint = "; set HF_TOKEN to one that may write there" if status in (401, 403) else ""
        raise InputError(f"the model hub refused {name}: {_line(error)}{hint}") from error
    except (ValueError, invalid) as error:
        raise InputError(f"cannot send {name} to the model hub: {_line(error)}") from error
    except (OSError, RuntimeError, root) as error:
        raise NotReady(
            f"cannot send {name} to the model hub: {_line(error.__cause__ or error)}; run the command again"
        ) from error


def _line(error: BaseException) -> str:
    return _SECRET.sub("//", " ".join(str(error).split()))[:200]
