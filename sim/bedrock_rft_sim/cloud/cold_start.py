"""Does the zip start? Its first cold start under the bare Lambda environment of the grader.

The module is imported and the handler looked up by AWS's own runtime client; then an event without
samples is sent, and what the handler makes of that does not matter.
It grades nothing: whether the reward is right is the audit's business.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader.container import Container, Fault, Function
from bedrock_rft_sim.grader.environment import lambda_environment, link_runtime
from bedrock_rft_sim.grader.grader import DEFAULT_ARN, HINTS
from bedrock_rft_sim.grader.package import open_package

INIT_TIMEOUT_S = 10.0
"""Lambda's own limit of the init phase."""
SHOWN_FRAMES = 3


@dataclass(frozen=True)
class ColdStart:
    """A start that succeeded."""

    seconds: float | None
    python: str
    client: str
    """`awslambdaric`, or the stand-in where AWS's client has no wheel."""


def cold_start(
    archive: bytes,
    *,
    handler: str,
    timeout_s: float,
    memory_mb: int,
    environment: Mapping[str, str],
) -> ColdStart:
    """Start the function once.

    Raises:
        HandlerError: it can't be imported, has no such handler, or ends while it starts.
    """
    with tempfile.TemporaryDirectory(prefix="reward-") as scratch:
        function = _function(
            Path(scratch),
            archive,
            handler=handler,
            timeout_s=timeout_s,
            memory_mb=memory_mb,
            own=environment,
        )
        container = Container(function)
        try:
            outcome = container.invoke(b"[]")
            if isinstance(outcome.answer, Fault) and container.dead:
                raise _failed(outcome.answer)
        finally:
            container.close()
    return ColdStart(outcome.init_s, platform.python_version(), function.client)


def _function(
    scratch: Path,
    archive: bytes,
    *,
    handler: str,
    timeout_s: float,
    memory_mb: int,
    own: Mapping[str, str],
) -> Function:
    home, runtime_dir, file = scratch / "home", scratch / "runtime", scratch / "reward.zip"
    home.mkdir()
    file.write_bytes(archive)
    package = open_package(file, handler=handler, scratch=scratch)
    client = link_runtime(runtime_dir)
    return Function(
        client=client,
        runtime_dir=runtime_dir,
        task_root=package.root,
        handler=package.handler,
        function_arn=DEFAULT_ARN,
        environment=lambda_environment(
            function_arn=DEFAULT_ARN,
            memory_mb=memory_mb,
            handler=package.handler,
            task_root=package.root,
            runtime_dir=runtime_dir,
            home=home,
            own=own,
            pass_aws_credentials=False,
        ),
        timeout_s=timeout_s,
        init_timeout_s=INIT_TIMEOUT_S,
        memory_mb=memory_mb,
    )


def _failed(fault: Fault) -> HandlerError:
    return HandlerError(
        f"the package does not start: {fault.error_type}: {fault.message}",
        where="cold start under the bare Lambda environment",
        found="".join(fault.stack_trace[-SHOWN_FRAMES:]).strip() or None,
        hint=HINTS.get(fault.error_type) or "what the module does at import must work on Lambda",
    )
