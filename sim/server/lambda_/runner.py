"""Invoke functions: warm containers of the grader's own runtime.

One container per function and version stays warm; invocations of one function wait for each other.
The oldest containers are ended when there are too many, as Lambda ends idle ones.
Sources: AWS Lambda developer guide, "Lambda execution environment".
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sim.grader.container import Container, Function, Outcome
from sim.grader.environment import lambda_environment, link_runtime

WARM_MAX = 8
INIT_TIMEOUT_S = 10.0


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


class _Warm:
    """One function's container and the folder it lives in."""

    def __init__(self, deployed: Deployed) -> None:
        self.lock = threading.Lock()
        self._scratch = tempfile.TemporaryDirectory(prefix="function-")
        self._function = _describe(deployed, Path(self._scratch.name))
        self._container: Container | None = None
        self._is_closed = False

    def invoke(self, event: bytes) -> Outcome:
        with self.lock:
            if self._container is not None and not self._container.usable:
                self._container.close()
                self._container = None
            if self._container is None:
                self._container = Container(self._function)
            return self._container.invoke(event)

    def close(self) -> None:
        with self.lock:
            if not self._is_closed:
                self._is_closed = True
                if self._container is not None:
                    self._container.close()
                self._scratch.cleanup()


class Runner:
    """Warm functions, the one used last kept longest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._warm: OrderedDict[tuple[str, str], _Warm] = OrderedDict()

    def invoke(self, deployed: Deployed, event: bytes) -> Outcome:
        """Run one event and wait for its outcome.

        Raises:
            HandlerError: the function's own environment can't be made.
        """
        return self._warmed(deployed).invoke(event)

    def close(self) -> None:
        """End all containers."""
        with self._lock:
            for warm in self._warm.values():
                warm.close()
            self._warm.clear()

    def _warmed(self, deployed: Deployed) -> _Warm:
        key = (deployed.arn, deployed.revision)
        with self._lock:
            if key not in self._warm:
                self._warm[key] = _Warm(deployed)
            self._warm.move_to_end(key)
            idle = [one for one in self._warm if one != key and not self._warm[one].lock.locked()]
            for old in idle[: max(0, len(self._warm) - WARM_MAX)]:
                self._warm.pop(old).close()
            return self._warm[key]


def _describe(deployed: Deployed, scratch: Path) -> Function:
    home, runtime_dir = scratch / "home", scratch / "runtime"
    home.mkdir()
    client = link_runtime(runtime_dir)
    environment = lambda_environment(
        function_arn=deployed.arn,
        memory_mb=deployed.memory_mb,
        handler=deployed.handler,
        task_root=deployed.code,
        runtime_dir=runtime_dir,
        home=home,
        own=deployed.environment,
        pass_aws_credentials=False,
    )
    return Function(
        client=client,
        runtime_dir=runtime_dir,
        task_root=deployed.code,
        handler=deployed.handler,
        function_arn=deployed.arn,
        environment=environment,
        timeout_s=deployed.timeout_s,
        init_timeout_s=INIT_TIMEOUT_S,
        memory_mb=deployed.memory_mb,
    )
