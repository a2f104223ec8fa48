"""The server's side: ask the model process, hand on its pieces, start it again after a death.

One process answers one ask after the other, whichever door they came through; it is started by the
first ask, so that a server that only trains never loads a model.
Sources: `sim.server.inference.protocol`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sim.errors import RehearsalError
from sim.jobs.child import child_environment
from sim.server.inference import protocol

COMMAND = (sys.executable, "-P", "-m", "sim.server.inference")
LOG_KEPT_BYTES = 1024 * 1024


class ModelError(RehearsalError, RuntimeError):
    """The model can't answer: not loadable, out of memory, its process died."""


class Refused(RehearsalError, ValueError):  # noqa: N818 - what happened, not who erred
    """The ask can't be answered by this model: its template refuses it, or it is too long."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One conversation to go on with."""

    model: str
    """`tiny`, a folder, or a Hub id: never a client's own words."""
    messages: Sequence[Mapping[str, Any]]
    """`role` and `content`, text only."""
    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    template: Mapping[str, Any] = field(default_factory=dict)
    """Handed to the chat template."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more text."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; the last thing that a stream gives."""

    text: str
    stop_reason: str
    """`stop`, `length` or `stop_sequence`."""
    stop_sequence: str | None
    prompt_tokens: int
    completion_tokens: int


class Models:
    """The model process, as long as the server lives."""

    def __init__(self, *, log: Path | None = None, command: Sequence[str] = COMMAND) -> None:
        """Prepare; `log` gets what the process prints."""
        self._command = command
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[dict[str, Any]]] = {}

    async def answer(self, ask: Ask) -> Answer:
        """Return the whole answer.

        Raises:
            Refused: the ask is at fault.
            ModelError: the model is.
        """
        async with contextlib.aclosing(self.stream(ask)) as told:
            async for each in told:
                if isinstance(each, Answer):
                    return each
        raise _died()

    async def stream(self, ask: Ask) -> AsyncGenerator[Piece | Answer, None]:
        """Yield pieces as they are written, and the answer; one that is left early is stopped.

        Raises:
            Refused: the ask is at fault.
            ModelError: the model is.
        """
        process = await self._running()
        number = next(self._numbers)
        mailbox = self._waiting[number] = asyncio.Queue()
        is_over = False
        try:
            await _send(process, {"ask": number, **_as_message(ask)})
            while not is_over:
                message = await mailbox.get()
                is_over = "piece" not in message
                if "answered" in message:
                    yield Answer(**message["answered"])
                elif is_over:
                    raise _error(message)
                else:
                    yield Piece(message["piece"])
        finally:
            del self._waiting[number]
            if not is_over:  # whoever listened has gone
                _tell(process, {"unwanted": number})

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader
            self._reader = None

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                if self._reader is not None:
                    await self._reader
                self._process = await self._start()
                self._reader = asyncio.create_task(self._read(self._process))
            return self._process

    async def _start(self) -> asyncio.subprocess.Process:
        with contextlib.ExitStack() as files:
            errors: Any = asyncio.subprocess.DEVNULL
            if self._log is not None:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                is_long = self._log.exists() and self._log.stat().st_size > LOG_KEPT_BYTES
                errors = files.enter_context(self._log.open("wb" if is_long else "ab"))
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=child_environment(os.environ),
                limit=protocol.MAX_LINE_BYTES,
                start_new_session=True,
            )

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand each line to whoever asked; at the end tell all that still wait."""
        assert process.stdout is not None
        async for line in process.stdout:
            message = protocol.decode(line)
            mailbox = self._waiting.get(message["ask"])
            if mailbox is not None:
                mailbox.put_nowait(message)
        await process.wait()
        for mailbox in self._waiting.values():
            mailbox.put_nowait({"died": True})


async def _send(process: asyncio.subprocess.Process, message: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(protocol.encode(message))
        await process.stdin.drain()
    except (ConnectionError, RuntimeError) as error:  # RuntimeError: the pipe is closed already
        raise _died() from error


def _tell(process: asyncio.subprocess.Process, message: Mapping[str, Any]) -> None:
    """Send without waiting; a process that is gone needs no telling."""
    assert process.stdin is not None
    if not process.stdin.is_closing():
        process.stdin.write(protocol.encode(message))


def _as_message(ask: Ask) -> dict[str, Any]:
    values = asdict(ask)
    own = {name: values.pop(name) for name in ("model", "messages", "template")}
    return {**own, "sampling": values}


def _error(message: Mapping[str, Any]) -> RehearsalError:
    if "refused" in message:
        return Refused(message["refused"])
    return ModelError(message["failed"]) if "failed" in message else _died()


def _died() -> ModelError:
    return ModelError(
        "the process of the model died",
        hint="ask again; if it dies again, the model may be too large for this machine",
    )
