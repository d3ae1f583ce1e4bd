"""Every error that this software raises on purpose.

    KGError
    ├── InputError             a file, row, text or option that the user gave is wrong
    │   ├── UnknownRelation    a relation that the vocabulary does not have
    │   ├── UnsafeQuery        ad-hoc Cypher or SPARQL that does more than read
    │   └── Unacceptable       none of the forms that were asked for can hold the answer
    ├── NotFound               a run, critic, student or named query that does not exist
    ├── NotReady               a step that must come first has not been done
    ├── GraphChanged           the graph was written to while it was read as a whole (retryable)
    ├── ProcessLost            one of several processes that train together has ended (retryable)
    ├── TeacherError           a teacher cannot be used: its address, key, model or budget
    │   ├── TeacherUnavailable a teacher is busy, failing or out of reach (retryable)
    │   ├── MalformedReply     a teacher's answer cannot be read (retryable)
    │   └── RefusedReply       a teacher will not answer this one prompt
    ├── ServerError            the private Neo4j cannot be brought up
    └── StoreError             the database refused or failed
        ├── QueryError         the database does not accept a statement
        │   └── QueryTooLong   a query was ended at its time limit
        └── StoreUnavailable   the database cannot be reached (retryable)

Foreign exceptions are translated once, in the module that owns the library. A message is one line that says
what happened, to which value, where, and what would be right.
"""


class KGError(Exception):
    """Root of the tree.

    Attributes:
        retryable: whether the same call may succeed later without any change.
    """

    retryable = False


class InputError(KGError):
    """A file, row, text or option that the user gave is wrong."""


class UnknownRelation(InputError):  # noqa: N818 - reads as what happened
    """A relation that the vocabulary does not have."""


class UnsafeQuery(InputError):  # noqa: N818 - reads as what happened
    """Ad-hoc Cypher or SPARQL that does more than read."""


class Unacceptable(InputError):  # noqa: N818 - reads as what happened
    """None of the forms that were asked for can hold the answer to a query."""


class NotFound(KGError):  # noqa: N818 - reads as what happened
    """A run, critic, student or named query that does not exist."""


class NotReady(KGError):  # noqa: N818 - reads as what happened
    """A step that must come first has not been done."""


class GraphChanged(KGError):  # noqa: N818 - reads as what happened
    """The graph was written to while it was read as a whole."""

    retryable = True


class ProcessLost(KGError):  # noqa: N818 - reads as what happened
    """One of several processes that train together has ended."""

    retryable = True


class TeacherError(KGError):
    """A teacher cannot be used: its address, key, model or budget."""


class TeacherUnavailable(TeacherError):  # noqa: N818 - reads as what happened
    """A teacher is busy, failing or out of reach.

    Attributes:
        wait_seconds: how long the teacher asks to be left alone, if its server says so.
        busy: whether the teacher has too much to do, so that fewer requests at once may help.
        billed: whether the request may have been paid for all the same.
    """

    retryable = True

    def __init__(
        self, message: str, *, wait_seconds: float | None = None, busy: bool = False, billed: bool = False
    ) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.busy = busy
        self.billed = billed


class MalformedReply(TeacherError):  # noqa: N818 - reads as what happened
    """A teacher's answer cannot be read.

    Attributes:
        tokens: of prompt and completion, which were paid for all the same.
    """

    retryable = True
    tokens: tuple[float, float] = (0, 0)


class RefusedReply(TeacherError):  # noqa: N818 - reads as what happened
    """A teacher will not answer this one prompt.

    Attributes:
        tokens: of prompt and completion, which were paid for all the same.
    """

    tokens: tuple[float, float] = (0, 0)


class ServerError(KGError):
    """The private Neo4j cannot be brought up."""


class StoreError(KGError):
    """The database refused or failed."""


class QueryError(StoreError):
    """The database does not accept a statement."""


class QueryTooLong(QueryError):  # noqa: N818 - reads as what happened
    """A query was ended at its time limit, or never begun because too many others ran."""


class StoreUnavailable(StoreError):  # noqa: N818 - reads as what happened
    """The database cannot be reached."""

    retryable = True
