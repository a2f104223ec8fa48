"""Every error a user can meet, one family named after the border that was crossed.

RehearsalError
├── RecipeError(ValueError)         the recipe or a command-line override
├── DataError(ValueError)           a training or validation file, or one of its records
├── GraderError(RuntimeError)       the reward
│   ├── EventError                  the event that would be sent (for example larger than 6 MB)
│   ├── HandlerError                the handler raised, hung, ran out of memory or was not found
│   ├── ResponseError               what the handler returned
│   └── PackageError                its files, on the way into a zip for Lambda
├── EndpointError(ConnectionError)   a model endpoint that is probed
├── TrainingError(RuntimeError)     the model or the trainer
│   └── EngineError                 the engine that answers for the model
└── RunFolderError(OSError)         the run folder or the disk under it

A message says what happened, where, what was expected, what was found and what to do next.
"""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound="RehearsalError")


class RehearsalError(Exception):
    """Root of the family; prints as one message, without a traceback."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        super().__init__(self._message())

    def restated(self, kind: type[E], *, what: str | None = None, where: str | None = None) -> E:
        """Return an error of this kind with the same details, in other words or elsewhere."""
        what, where = what or self.what, where or self.where
        return kind(what, where=where, expected=self.expected, found=self.found, hint=self.hint)

    def _message(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [("expected", self.expected), ("found", self.found), ("next", self.hint)]
        return "\n".join([head, *(f"  {label}: {text}" for label, text in parts if text)])


class RecipeError(RehearsalError, ValueError):
    """The recipe, or a value given with --set, can't be used."""


class DataError(RehearsalError, ValueError):
    """A data file or one of its records can't be used."""


class GraderError(RehearsalError, RuntimeError):
    """The reward could not give a grade; never turned into a score of 0."""


class EventError(GraderError):
    """The event can't be sent to the handler."""


class HandlerError(GraderError):
    """The handler failed: raised, hung, died or could not be loaded."""


class ResponseError(GraderError):
    """The handler answered, but not with what Bedrock expects."""


class PackageError(GraderError):
    """The reward's files can't become a zip that Lambda takes."""


class EndpointError(RehearsalError, ConnectionError):
    """A model endpoint refuses, so that no request to it will fare better."""


class TrainingError(RehearsalError, RuntimeError):
    """The model or the trainer can't go on."""


class EngineError(TrainingError):
    """An engine can't answer for a model as it must; `found` says why."""


class RunFolderError(RehearsalError, OSError):
    """The run folder can't be created, read or written."""
