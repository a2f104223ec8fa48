"""The server's side: ask the model process, hand on its pieces, start it again after a death.

One process answers one request after the other, whichever API they came through; it is started by
the first, so that a server that only trains never loads a model. Between the two go lines of one
JSON object each, with the number of the request:

    to the process     {"ask": 1, "model": "tiny", "messages": […], "temperature": 1.0, …}
                       {"unwanted": 1}
    from the process   {"ask": 1, "piece": "The"}
                       {"ask": 1, "answered": {…}}
                       {"ask": 1, "refused": "…"} the request's own fault
                       {"ask": 1, "failed": "…"}  the model's
                       {"loading": true}          until it says anything else
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.engine.chat import ModelAnswer, ModelRequest
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs.children import child_environment

COMMAND = (sys.executable, "-P", "-m", "bedrock_rft_sim.server.inference.worker")
LOG_KEPT_BYTES = 1024 * 1024
LOAD_WAIT_S = 20.0
"""So long a request waits while a model is loaded: less than the minute after which boto3 hangs up.
"""
WAITING_MAX = 64
"""So many requests wait at most: answered one by one, a longer queue outlasts its clients'
patience."""


class ModelError(RehearsalError, RuntimeError):
    """The model can't answer: not loadable, out of memory, its process died."""


class Busy(ModelError):  # noqa: N818 - what happened, not who erred
    """Too many requests wait already; sent again later, it will be answered."""


class Loading(ModelError):  # noqa: N818 - what happened, not who erred
    """A model is still being loaded; asked again later, it will answer."""


class Refused(RehearsalError, ValueError):  # noqa: N818 - what happened, not who erred
    """This model can't answer the request: its template refuses it, or it is too long."""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Some more text."""

    text: str


AnswerStream = AsyncGenerator[TextPiece | ModelAnswer, None]
"""Pieces as they are written, and the answer last."""

Deliver = Callable[[dict[str, Any]], None]
"""Hands a message, from another thread, to the event loop that the request came from."""


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """Where a request waits for what its process says."""

    process: subprocess.Popen[bytes]
    deliver: Deliver


class Models:
    """The model process, as long as the server lives; of no event loop in particular."""

    def __init__(self, *, log: Path | None = None, command: Sequence[str] = COMMAND) -> None:
        """Prepare; `log` gets what the process prints."""
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._is_loading = False
        self._waiting: dict[int, _Mailbox] = {}

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Return the whole answer.

        Raises:
            Refused: the request is at fault.
            Busy: too many wait.
            Loading: a model takes long to load.
            ModelError: the model is at fault.
        """
        async with contextlib.aclosing(self.stream(request)) as stream:
            [answer] = [each async for each in stream if isinstance(each, ModelAnswer)]
        return answer

    async def stream(self, request: ModelRequest) -> AnswerStream:
        """Yield pieces as they are written, and the answer; one that is left early is stopped.

        Raises:
            Refused: the request is at fault.
            Busy: too many wait.
            Loading: a model takes long to load; it goes on loading.
            ModelError: the model is at fault.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        number = next(self._numbers)
        is_over = False

        def deliver(message: dict[str, Any]) -> None:
            with contextlib.suppress(RuntimeError):  # an event loop that is closed waits no more
                loop.call_soon_threadsafe(queue.put_nowait, message)

        sending = asyncio.create_task(asyncio.to_thread(self._send, number, request, deliver))
        try:
            await asyncio.shield(sending)  # a thread can't be called off midway
            while not is_over:
                message = await self._next(queue)
                is_over = "piece" not in message
                if "answered" in message:
                    yield ModelAnswer(**message["answered"])
                elif is_over:
                    raise _error(message)
                else:
                    yield TextPiece(message["piece"])
        finally:
            if sending.done():
                self._forget(number, is_over=is_over)
            else:
                sending.add_done_callback(lambda _: self._forget(number, is_over=False))

    async def _next(self, queue: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOAD_WAIT_S):
                    return await queue.get()
            if self._is_loading:
                raise Loading("the model is still being loaded; ask again in a moment")

    def close(self) -> None:
        """End the process; whoever still waits gets the error that it died."""
        with self._lock:
            process, reader = self._process, self._reader
            self._process = self._reader = None
        if process is not None and reader is not None:
            process.kill()
            reader.join()

    def _forget(self, number: int, *, is_over: bool) -> None:
        mailbox = self._waiting.pop(number, None)
        if mailbox is not None and not is_over:  # whoever waited has gone
            _write(mailbox.process, {"unwanted": number})

    # In other threads

    def _send(self, number: int, request: ModelRequest, deliver: Deliver) -> None:
        with self._lock:
            if len(self._waiting) >= WAITING_MAX:
                raise Busy(
                    "too many requests are waiting for an answer",
                    expected=f"at most {WAITING_MAX}; they are answered one by one",
                    hint="ask again later",
                )
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._process is not None
            self._waiting[number] = _Mailbox(self._process, deliver)
            if not _write(self._process, {"ask": number, **asdict(request)}):
                raise _died()

    def _start(self) -> None:
        if self._reader is not None:
            self._reader.join()
        with contextlib.ExitStack() as files:
            errors: Any = subprocess.DEVNULL
            if self._log is not None:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                is_long = self._log.exists() and self._log.stat().st_size > LOG_KEPT_BYTES
                errors = files.enter_context(self._log.open("wb" if is_long else "ab"))
            self._is_loading = True  # first of all its libraries
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=child_environment(os.environ),
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Hand each line to whoever waits for it; at the end let all that still wait know."""
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            if not line.endswith(b"\n"):
                break  # torn by its death
            message = decode(line)
            self._is_loading = message.get("loading", False)
            mailbox = self._waiting.get(message.get("ask", 0))
            if mailbox is not None:
                mailbox.deliver(message)
        process.wait()
        process.stdout.close()
        with contextlib.suppress(OSError):
            process.stdin.close()
        for mailbox in list(self._waiting.values()):
            if mailbox.process is process:
                mailbox.deliver({"died": True})


def _write(process: subprocess.Popen[bytes], message: Mapping[str, Any]) -> bool:
    """Write one line at once; return whether the process could take it."""
    assert process.stdin is not None
    try:
        process.stdin.write(encode(message))
        process.stdin.flush()
    except (OSError, ValueError):  # ValueError: closed already
        return False
    return True


def _error(message: Mapping[str, Any]) -> RehearsalError:
    if "refused" in message:
        return Refused(message["refused"])
    return ModelError(message["failed"]) if "failed" in message else _died()


def _died() -> ModelError:
    return ModelError(
        "the process of the model died",
        hint="ask again; if it dies again, the model may be too large for this machine",
    )


async def start_stream(models: Models, request: ModelRequest) -> AnswerStream:
    """Return the stream of a request once its first word is there: refusals need a status.

    Raises:
        Refused: the request is at fault.
        Busy: too many wait.
        Loading: a model takes long to load.
        ModelError: the model is at fault.
    """
    stream = models.stream(request)
    first = await anext(stream)

    async def all_of_it() -> AnswerStream:
        async with contextlib.aclosing(stream):
            yield first
            async for each in stream:
                yield each

    return all_of_it()


def encode(message: Mapping[str, Any]) -> bytes:
    """Return the line of a message; JSON escapes every newline inside."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the message of a line that the other side wrote."""
    message: dict[str, Any] = json.loads(line)
    return message
