"""Every error a user of EpiQA can meet.

    EpiQAError                     exit code 2: the call or its input was wrong
    ├── QuestionError              a question that cannot be asked (empty, too long)
    ├── FilterError                an invalid filter, or one that no document meets
    ├── IngestError                a file that cannot be read as a document
    ├── QuestionSetError           a question set that cannot be evaluated
    ├── ModelError                 a model that is missing, altered, unsafe or unfit
    │   └── EmbedderMismatchError  the index was made by another embedder
    └── IndexUnavailableError      exit code 3: the index cannot be used
        ├── IndexMissingError      there is none
        ├── IndexDamagedError      its files are not what its manifest says
        ├── IndexFormatError       another version of epiqa made it
        └── IndexBusyError         another process is writing it

A message says what was wrong, with which values, and what to do. Errors of other libraries are
translated where they enter; one that reaches the user as a stack trace is a bug.
"""

from __future__ import annotations

from functools import partial


class EpiQAError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the shell gets."""

    exit_code = 2


class QuestionError(EpiQAError):
    """The question is empty, only punctuation, or too long."""


class FilterError(EpiQAError):
    """A filter cannot be understood, or no document meets it."""


class IngestError(EpiQAError):
    """A path cannot be read as a document; `path` and `reason` are kept apart for reports.

    `may_pass`: the file's content is perhaps not the reason, so another try may succeed.
    """

    def __init__(self, path: str, reason: str, *, may_pass: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.may_pass = may_pass

    def __reduce__(self) -> tuple[partial[IngestError], tuple[str, str]]:
        return partial(IngestError, may_pass=self.may_pass), (self.path, self.reason)


class QuestionSetError(EpiQAError):
    """A question set is missing, malformed, or of no known form."""


class ModelError(EpiQAError):
    """A model cannot be used: missing, altered, pickled, or of the wrong kind."""


class EmbedderMismatchError(ModelError):
    """The index holds vectors of another embedder than the one given."""


class IndexUnavailableError(EpiQAError):
    """The index cannot be used as it is."""

    exit_code = 3


class IndexMissingError(IndexUnavailableError):
    """There is no index at the given place."""


class IndexDamagedError(IndexUnavailableError):
    """A file of the index is missing or is not what the manifest says."""


class IndexFormatError(IndexUnavailableError):
    """The index was made by a version of epiqa whose format this one does not read."""


class IndexBusyError(IndexUnavailableError):
    """Another process holds the index for writing, longer than was waited."""
