"""Invoke functions: warm containers of the grader's own runtime, and a queue for events.

One container per function and version stays warm; invocations of one function wait for each other.
The oldest containers are ended when there are too many, as Lambda ends idle ones; one that somebody
runs or waits for is never among them.
Sources: AWS Lambda developer guide, "Lambda execution environment" and "Asynchronous invocation".
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bedrock_rft_sim.grader.container import Container, Fault, Outcome
from bedrock_rft_sim.grader.environment import deploy
from bedrock_rft_sim.grader.package import open_package
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import LambdaLimits
from bedrock_rft_sim.server.errors import AwsError, log_failure

WARM_MAX = 8
EVENTS_MAX: Final = 100
"""Of 1 MB each at most, waiting and running."""
THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Deployed:
    """What to run, and how far it may go."""

    arn: str
    code: Path
    handler: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]
    revision: str
    """Another one means another container."""

    @property
    def reward(self) -> RewardFile:
        """The same, for the grader."""
        return RewardFile(
            self.code,
            handler=self.handler,
            limits=LambdaLimits(timeout_s=self.timeout_s, memory_mb=self.memory_mb),
            environment=self.environment,
            function_arn=self.arn,
        )


KeepLog = Callable[[Deployed, Outcome], None]
"""Gets each invocation once it has ended."""


class ClosingError(AwsError):
    """The server ends, and no function is run any more."""

    def __init__(self) -> None:
        words = "the endpoint is ending; invoke the function again once it is back"
        super().__init__("ServiceException", words)


class _Warm:
    """One function's container and the folder it lives in."""

    def __init__(self, deployed: Deployed, access: Mapping[str, str] | None) -> None:
        self.users = 0
        """Who runs it or waits for it; the runner's to count."""
        self._lock = threading.Lock()
        self._scratch = tempfile.TemporaryDirectory(prefix="function-")
        scratch = Path(self._scratch.name)
        package = open_package(deployed.code, handler=deployed.handler, scratch=scratch)
        self._function = deploy(replace(deployed.reward, access=access), package, scratch)
        self._container: Container | None = None
        self._is_killed = False

    def invoke(self, event: bytes) -> Outcome:
        """Run one event, after those that came before it.

        Raises:
            ClosingError: it has been killed.
        """
        with self._lock:
            if self._is_killed:
                raise ClosingError
            if self._container is not None and not self._container.usable:
                self._container.close()
                self._container = None
            if self._container is None:
                self._container = Container(self._function)
            if self._is_killed:  # while the container started
                self._container.kill()
            outcome = self._container.invoke(event)
        if self._is_killed and isinstance(outcome.answer, Fault):
            raise ClosingError
        return outcome

    def kill(self) -> None:
        """End what runs, without waiting for it."""
        self._is_killed = True
        container = self._container
        if container is not None:
            container.kill()

    def close(self) -> None:
        """Leave nothing behind; only for one without users."""
        if self._container is not None:
            self._container.close()
        self._scratch.cleanup()


class FunctionRunner:
    """Warm functions, the one used last kept longest."""

    def __init__(
        self,
        keep_log: KeepLog | None = None,
        access: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._keep_log = keep_log
        self._access = access
        self._lock = threading.Lock()
        self._warm: OrderedDict[tuple[str, str], _Warm] = OrderedDict()
        self._is_closing = False

    def invoke(self, deployed: Deployed, event: bytes) -> Outcome:
        """Run one event and wait for its outcome.

        Raises:
            HandlerError: the function's own environment can't be made.
            ClosingError: the server ends.
        """
        warm = self._take(deployed)
        try:
            outcome = warm.invoke(event)
        finally:
            self._give_back(warm)
        if self._keep_log is not None:
            self._keep_log(deployed, outcome)
        return outcome

    def close(self) -> None:
        """Kill all containers and start none any more; whoever waits gets an error."""
        with self._lock:
            self._is_closing = True
            found = list(self._warm.values())
            idle = self._superfluous()
        for warm in found:
            warm.kill()
        for warm in idle:
            warm.close()

    def _take(self, deployed: Deployed) -> _Warm:
        key = (deployed.arn, deployed.revision)
        with self._lock:
            if self._is_closing:
                raise ClosingError
            if key not in self._warm:
                access = None if self._access is None else self._access()
                self._warm[key] = _Warm(deployed, access)
            self._warm.move_to_end(key)
            self._warm[key].users += 1
            return self._warm[key]

    def _give_back(self, warm: _Warm) -> None:
        with self._lock:
            warm.users -= 1
            gone = self._superfluous()
        for each in gone:
            each.close()

    def _superfluous(self) -> list[_Warm]:
        """Take out the oldest that nobody uses, as many as are too many."""
        most = 0 if self._is_closing else WARM_MAX
        idle = [key for key, warm in self._warm.items() if warm.users == 0]
        return [self._warm.pop(key) for key in idle[: max(0, len(self._warm) - most)]]


class EventQueue:
    """Events of asynchronous invocations, which wait for their turn.

    Each event is run once: without Lambda's retries, destinations and dead-letter queues. What
    still waits when the server ends is not run.
    """

    def __init__(self, runner: FunctionRunner) -> None:
        self._runner = runner
        self._free = threading.Semaphore(EVENTS_MAX)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lambda-event")

    def add(self, deployed: Deployed, event: bytes) -> bool:
        """Take an event for later; False where too many wait already.

        Raises:
            ClosingError: the server ends.
        """
        if not self._free.acquire(blocking=False):
            return False
        try:
            future = self._threads.submit(self._runner.invoke, deployed, event)
        except RuntimeError:  # shut down
            raise ClosingError from None
        future.add_done_callback(self._ended)
        return True

    def close(self) -> None:
        """Run no more events."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, future: Future[Outcome]) -> None:
        self._free.release()
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Exception) and not isinstance(error, ClosingError):
            log_failure(error)
