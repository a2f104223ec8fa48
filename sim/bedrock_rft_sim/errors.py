"""Every error a user can meet, one family named after the border that was crossed.

RehearsalError
├── RecipeError(ValueError)         the recipe or a command-line override
├── ArgumentError(ValueError)       an argument of the Python API
├── DataError(ValueError)           a training or validation file, or one of its records
├── GraderError(RuntimeError)       the reward
│   ├── EventError                  the event that would be sent (for example larger than 6 MB)
│   ├── HandlerError                the handler raised, hung, ran out of memory or was not found
│   ├── ResponseError               what the handler returned
│   └── PackageError                its files, on the way into a zip for Lambda
├── EndpointError(ConnectionError)   a model endpoint that is probed
├── CloudError(RuntimeError)        AWS, or what it holds, on the way to a real job and back
├── TrainingError(RuntimeError)     the model or the trainer
│   └── EngineError                 the engine that answers for the model
└── RunFolderError(OSError)         the run folder or the disk under it

A message says what happened, where, what was expected, what was found and what to do next.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final, TypeVar

E = TypeVar("E", bound="RehearsalError")

PART_MAX: Final = 4000
"""Characters of one part of a message; a row of data may be megabytes long."""
FOUND_MAX: Final = 120
"""Characters of an argument's value."""
MASK: Final = "***"
SECRET_NAME: Final = re.compile(r"TOKEN$|SECRET|PASSWORD|CREDENTIAL|_KEY$|_KEY_ID$", re.IGNORECASE)
"""Names of environment variables whose values are secrets."""
SECRET_LENGTH_MIN: Final = 8
"""Shorter values, such as `local`, are no secret when they turn up in another text."""


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
        head = f"{_cut(self.where)}: {_cut(self.what)}" if self.where else _cut(self.what)
        parts = [("expected", self.expected), ("found", self.found), ("next", self.hint)]
        return "\n".join([head, *(f"  {label}: {_cut(text)}" for label, text in parts if text)])


def _cut(text: str, most: int = PART_MAX) -> str:
    left_out = len(text) - most
    return text if left_out <= 0 else f"{text[:most]} … ({left_out:,} more characters)"


def own_mistake(error: Exception) -> str:
    """Return the message on what nobody foresaw, so that a user sees no traceback unasked."""
    lines = str(error).strip().splitlines()
    message = RehearsalError(
        "a mistake of ours, not yours; what was written before it is kept",
        found=": ".join([type(error).__name__, *lines[:1]]),
        hint="the same command with --debug shows the traceback; please report it",
    )
    return str(message)


def refused_by_the_system(error: OSError) -> str:
    """Return the message on a file that can't be looked at, such as one with too long a name."""
    message = RehearsalError(
        "the system refuses",
        where=None if error.filename is None else str(error.filename),
        found=error.strerror or str(error) or type(error).__name__,
        hint="check the path and the disk; --debug shows the traceback",
    )
    return str(message)


def masked(text: str) -> str:
    """Return the text without the values of environment variables that are secrets."""
    for name, value in os.environ.items():
        if len(value) >= SECRET_LENGTH_MIN and SECRET_NAME.search(name):
            text = text.replace(value, MASK).replace(repr(value)[1:-1], MASK)
    return text


class RecipeError(RehearsalError, ValueError):
    """The recipe, or a value given with --set, can't be used."""


class ArgumentError(RehearsalError, ValueError):
    """An argument of the Python API is of the wrong type or value."""


def demand(argument: str, value: object, *kinds: type, expected: str) -> None:
    """Refuse an argument whose value is of none of these types.

    Raises:
        ArgumentError: it is of another.
    """
    if not isinstance(value, kinds):
        raise ArgumentError(
            f"{argument} is of the wrong type",
            expected=expected,
            found=f"{_cut(repr(value), FOUND_MAX)} ({type(value).__name__})",
        )


def demand_one_of(argument: str, value: object, known: Iterable[str]) -> None:
    """Refuse an argument whose value is none of these texts.

    Raises:
        ArgumentError: it is another.
    """
    names = list(known)
    if value not in names:
        expected, found = f"one of: {', '.join(names)}", _cut(repr(value), FOUND_MAX)
        raise ArgumentError(f"{argument} has an unknown value", expected=expected, found=found)


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


class CloudError(RehearsalError, RuntimeError):
    """AWS can't be asked, refuses, or holds something else than is needed."""


class TrainingError(RehearsalError, RuntimeError):
    """The model or the trainer can't go on."""


class EngineError(TrainingError):
    """An engine can't answer for a model as it must; `found` says why."""


class RunFolderError(RehearsalError, OSError):
    """The run folder can't be created, read or written."""
