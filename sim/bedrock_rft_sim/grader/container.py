"""One warm Lambda container: a child process, its cold start, its time limits and its death.

The child asks the Runtime API for events; `invoke` serves it until the answer, the timeout or the
child's end, and collects what it prints meanwhile.
Between invocations nothing is served or read, which stands for Lambda freezing the container.

Sources: AWS Lambda developer guide, "Lambda execution environment" and "Using the Lambda runtime
API"; wording of errors as Lambda returns them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bedrock_rft_sim.contract.limits import LAMBDA_PAYLOAD_BYTES
from bedrock_rft_sim.grader.runtime_api import Connection, Request, RuntimeApi
from bedrock_rft_sim.grader.samples import LambdaLimits

TICK_S = 0.02  # how often a silent child is looked at
PIPE_BYTES = 64 * 1024
KEPT_BYTES = 32 * 1024  # of the start, and again of the end, of what one invocation prints
TRACE_LINES_MAX = 100
SHOWN_CHARS = 2000  # of an error's message, type or trace line
INVOCATION_PATH = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
NEXT_PATH = "/2018-06-01/runtime/invocation/next"
INIT_ERROR_PATH = "/2018-06-01/runtime/init/error"
ADDRESS_VARIABLE = "AWS_LAMBDA_RUNTIME_API"
TIMED_OUT = "Sandbox.Timedout"
OUT_OF_TURN = "Runtime.InvalidStateTransition"  # as the runtime API calls a request out of turn
EXITED = "Runtime.ExitError"
TOO_LARGE = "Function.ResponseSizeTooLarge"


Confinement = Literal["namespaces", "hooks"]
"""What closes the process in: the kernel (lambda_namespaces.py) or Python (lambda_hooks.py)."""


@dataclass(frozen=True)
class Fault:
    """Why there is no answer, in Lambda's words."""

    error_type: str
    message: str
    stack_trace: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """One invocation: an answer or a fault, what it cost and what it printed."""

    request_id: str
    answer: bytes | Fault
    duration_s: float
    init_s: float | None
    max_memory_mb: float | None
    printed: bytes
    confinement: Confinement


@dataclass(frozen=True)
class Function:
    """How to start the process and how far it may go."""

    client: str
    runtime_dir: Path
    task_root: Path
    handler: str
    function_arn: str
    environment: Mapping[str, str]
    limits: LambdaLimits
    confinement: Confinement


@dataclass
class _Printed:
    """The start and the end of a stream of any length."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    cut: int = 0

    def add(self, data: bytes) -> None:
        room = KEPT_BYTES - len(self.head)
        self.head += data[:room]
        self.tail += data[room:] if room < len(data) else b""
        excess = len(self.tail) - KEPT_BYTES
        if excess > 0:
            del self.tail[:excess]
            self.cut += excess

    def text(self) -> bytes:
        note = b"\n[... %d bytes not kept ...]\n" % self.cut if self.cut else b""
        return bytes(self.head) + note + bytes(self.tail)


class Container:
    """A life: started at construction, killed by `close`."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._api = RuntimeApi(body_max=LAMBDA_PAYLOAD_BYTES, send_s=function.limits.timeout_s)
        self._printed = _Printed()
        self._waiting: Connection | None = None
        self._init_error: Fault | None = None
        self._answer: bytes | Fault | None = None
        self._request_id = ""
        self._is_running = False
        """Whether an event was handed out and not answered."""
        self._tmp = self._own_tmp()
        self._started = time.perf_counter()
        self._init_s: float | None = None
        self._process, self._lifeline, self._log = self._start()
        self.dead = False

    @property
    def usable(self) -> bool:
        """Whether it can take another event; one that ended by itself since the last can't."""
        return not self.dead and self._process.poll() is None

    def invoke(self, event: bytes) -> Outcome:
        """Send one event and wait for what becomes of it; interrupted, the container is lost."""
        try:
            return self._invoke(event)
        except BaseException:
            self.close()
            raise

    def _invoke(self, event: bytes) -> Outcome:
        self._request_id, self._answer = str(uuid.uuid4()), None
        fresh = self._init_s is None
        fault = self._initialize() if fresh else None
        started = time.perf_counter()
        answer = fault or self._run(event)
        duration_s = time.perf_counter() - started
        max_memory_mb = self._max_memory_mb()
        if self.dead:
            self.close()
        self._drain()
        printed, self._printed = self._printed.text(), _Printed()
        init_s = self._init_s if fresh else None
        closed_in = self._function.confinement
        request_id = self._request_id
        return Outcome(request_id, answer, duration_s, init_s, max_memory_mb, printed, closed_in)

    def kill(self) -> None:
        """Kill the process and everything it started; an invocation under way ends with a fault."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and let go of what belonged to it."""
        self.dead = True
        self.kill()
        self._process.wait()
        self._end_strays()
        self._drain()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            os.close(self._log)
            self._api.close()
            self._lifeline = self._log = -1
        if self._tmp is not None:
            shutil.rmtree(self._tmp, ignore_errors=True)

    def _own_tmp(self) -> Path | None:
        """Make what hooks lead /tmp to; in namespaces it is there without us."""
        if self._function.confinement == "namespaces":
            return None
        return Path(tempfile.mkdtemp(prefix="tmp-", dir=self._function.runtime_dir.parent))

    def _end_strays(self) -> None:
        """Kill what left the process group; a process namespace has none left.

        They are known by the address of this container's runtime API, which they inherited.
        """
        if self._function.confinement == "namespaces" or self._lifeline < 0:
            return
        import psutil

        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(ADDRESS_VARIABLE) == self._api.address:
                    process.kill()

    def _start(self) -> tuple[subprocess.Popen[bytes], int, int]:
        """Start the child in a session of its own, so that Ctrl-C does not reach it."""
        function = self._function
        lifeline_end, lifeline = os.pipe()
        log, log_end = os.pipe()
        # -I and -S hide the user's packages and variables; -B: Lambda's task root is read-only;
        # -u: what was printed before a crash must not be lost.
        flags = ("-I", "-S", "-B", "-u", "-X", "utf8")
        launcher = str(Path(__file__).with_name("launcher.py"))
        arguments = (function.client, str(function.runtime_dir), str(function.task_root))
        limits = (str(function.limits.memory_mb), str(lifeline_end), function.confinement)
        tmp = {} if self._tmp is None else {"TMPDIR": str(self._tmp)}
        process = subprocess.Popen(
            [sys.executable, *flags, launcher, *arguments, *limits, function.handler],
            stdin=subprocess.DEVNULL,
            stdout=log_end,
            stderr=log_end,
            cwd=function.task_root,
            env={**function.environment, **tmp, ADDRESS_VARIABLE: self._api.address},
            pass_fds=(lifeline_end,),
            start_new_session=True,
        )
        os.close(lifeline_end)
        os.close(log_end)
        os.set_blocking(log, False)
        self._api.watch(log, self._read_log)
        return process, lifeline, log

    def _initialize(self) -> Fault | None:
        """Wait for the first request for an event; a slow import goes on at the timeout's cost."""
        limits = self._function.limits
        limit_s = limits.init_timeout_s + limits.timeout_s
        fault = self._wait(lambda: self._waiting or self._init_error, limit_s)
        self._init_s = time.perf_counter() - self._started
        if self._init_error is not None:
            self.dead = True
        return self._init_error or fault

    def _run(self, event: bytes) -> bytes | Fault:
        started = time.perf_counter()
        fault = self._wait(lambda: self._waiting, self._function.limits.timeout_s)
        if fault is not None:
            return fault
        assert self._waiting is not None
        connection, self._waiting = self._waiting, None
        deadline_ms = int((time.time() + self._function.limits.timeout_s) * 1000)
        self._is_running = True
        connection.reply(200, body=event, headers=self._event_headers(deadline_ms))
        left_s = self._function.limits.timeout_s - (time.perf_counter() - started)
        fault = self._wait(lambda: self._answer is not None, left_s)
        if fault is not None:
            return fault
        assert self._answer is not None
        return self._answer

    def _event_headers(self, deadline_ms: int) -> dict[str, str]:
        """All of them every time: AWS's native client crashes where some are missing."""
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0"
        return {
            "Lambda-Runtime-Aws-Request-Id": self._request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self._function.function_arn,
            "Lambda-Runtime-Trace-Id": trace,
        }

    def _wait(self, ready: Callable[[], object], limit_s: float) -> Fault | None:
        """Serve the child until `ready`, its end or the limit; the last two leave it for dead."""
        deadline = time.perf_counter() + limit_s
        while self._api.fault is not None or not ready():
            if self._api.fault is not None:
                return self._broke_in(self._api.fault)
            left_s = deadline - time.perf_counter()
            if left_s <= 0:
                return self._timed_out()
            ended = self._process.poll() is not None
            for connection, request in self._api.wait(0 if ended else min(left_s, TICK_S)):
                self._serve(connection, request)
            if ended and self._api.fault is None and not ready():
                return self._exited()
        return None

    def _serve(self, connection: Connection, request: Request) -> None:
        """Answer a request of the runtime client; any other, or one out of turn, is a fault."""
        match = INVOCATION_PATH.fullmatch(request.path)
        is_due = bool(match and match[1] == self._request_id and self._is_running)
        if request.path == NEXT_PATH and self._waiting is None and not self._is_running:
            self._waiting = connection
        elif request.path == INIT_ERROR_PATH and self._init_s is None:
            self._init_error = _read_error(request.body)
            connection.reply(202)
        elif match and is_due and request.length > LAMBDA_PAYLOAD_BYTES:
            self.dead, self._is_running = True, False
            self._answer = _too_large(request.length)
            connection.reply(413)
        elif match and is_due:
            self._is_running = False
            self._answer = request.body if match[2] == "response" else _read_error(request.body)
            connection.reply(202)
        else:
            path = f"{request.method} {request.path}"
            self._api.fault = self._api.fault or f"{_printable(path)} was asked out of turn"
            connection.reply(404)

    def _broke_in(self, what: str) -> Fault:
        """Say what the process sent to the runtime API that no runtime client sends."""
        self.dead = True
        words = f"Runtime API: {what}; only Lambda's runtime client may talk to it"
        return Fault(OUT_OF_TURN, self._named(words))

    def _timed_out(self) -> Fault:
        self.dead = True
        seconds = f"{self._function.limits.timeout_s:.2f}"
        return Fault(TIMED_OUT, self._named(f"Task timed out after {seconds} seconds"))

    def _exited(self) -> Fault:
        self.dead = True
        return Fault(EXITED, self._named(_exit_reason(self._process.wait())))

    def _named(self, text: str) -> str:
        return f"RequestId: {self._request_id} Error: {text}"

    def _read_log(self) -> None:
        data = self._read_pipe()
        if data == b"":
            self._api.unwatch(self._log)
        elif data:
            self._printed.add(data)

    def _read_pipe(self) -> bytes | None:
        try:
            return os.read(self._log, PIPE_BYTES)
        except BlockingIOError:
            return None

    def _drain(self) -> None:
        """Take what is in the pipe now; a child that goes on printing is not waited for."""
        for _ in range(4):
            data = self._read_pipe() if self._log >= 0 else None
            if not data:
                return
            self._printed.add(data)

    def _max_memory_mb(self) -> float | None:
        """Peak resident memory so far, where /proc has it."""
        pid = str(self._process.pid)
        try:
            if self._function.confinement == "namespaces":  # the first child only keeps the rest
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
                pid = [*children.split(), ""][1]
            status = Path(f"/proc/{pid}/status").read_bytes()
        except (OSError, IndexError):
            return None
        match = re.search(rb"VmHWM:\s+(\d+) kB", status)
        return int(match[1]) / 1024 if match else None


def _read_error(body: bytes) -> Fault:
    """The error that the runtime client reported; nothing in it is trusted."""
    try:
        report = json.loads(body)
        trace = (report.get("stackTrace") or [])[:TRACE_LINES_MAX]
        return Fault(
            _printable(report.get("errorType") or "Unknown"),
            _printable(report.get("errorMessage", "")),
            tuple(_printable(line) for line in trace),
        )
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return Fault("Unknown", _printable(body.decode("utf-8", "replace")))


def visible(text: str) -> str:
    """Return the text without half surrogate pairs and, but for tabs and line ends, controls."""
    shown = (c if c.isprintable() or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(shown).encode("utf-8", "replace").decode()


def _printable(value: object) -> str:
    """Short enough to show, and of characters that a file and a terminal take."""
    try:
        text = str(value)
    except RecursionError:
        return "(nested too deeply to show)"
    kept = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… ({len(text):,} characters)"
    return visible(kept)


def _too_large(length: int) -> Fault:
    return Fault(
        TOO_LARGE,
        f"Response payload size ({length} bytes) exceeded maximum allowed payload size "
        f"({LAMBDA_PAYLOAD_BYTES} bytes).",
    )


def _exit_reason(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    if code > 0:
        return f"Runtime exited with error: exit status {code}"
    name = (signal.strsignal(-code) or f"signal {-code}").lower()
    return f"Runtime exited with error: signal: {name}"
