"""Does the zip start? Its first cold start under the bare Lambda environment of the grader.

The module is imported and the handler looked up by AWS's own runtime client; then an event without
samples is sent, and what the handler makes of that does not matter.
It grades nothing: whether the reward is right is the audit's business.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader.container import Container, Fault, Outcome
from bedrock_rft_sim.grader.environment import deploy
from bedrock_rft_sim.grader.explain import found_in, hint_for
from bedrock_rft_sim.grader.package import Package, open_package
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import LambdaLimits


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
    reward: Path,
    handler: str,
    limits: LambdaLimits,
    environment: Mapping[str, str],
) -> ColdStart:
    """Start the function once; `reward` is what the archive was made of.

    Raises:
        HandlerError: it can't be imported, has no such handler, or ends while it starts.
    """
    with tempfile.TemporaryDirectory(prefix="reward-") as scratch:
        zipped = Path(scratch, "reward.zip")
        zipped.write_bytes(archive)
        package = open_package(zipped, handler=handler, scratch=Path(scratch))
        package = replace(package, alone=reward.resolve() if reward.is_file() else None)
        settings = RewardFile(zipped, handler=handler, limits=limits, environment=environment)
        function = deploy(settings, package, Path(scratch))
        container = Container(function)
        try:
            outcome = container.invoke(b"[]")
            if isinstance(outcome.answer, Fault) and container.dead:
                raise _failed(outcome.answer, outcome, package)
        finally:
            container.close()
    return ColdStart(outcome.init_s, platform.python_version(), function.client)


def _failed(fault: Fault, outcome: Outcome, package: Package) -> HandlerError:
    return HandlerError(
        f"the package does not start: {fault.error_type}: {fault.message}",
        where="cold start under the bare Lambda environment",
        found=found_in(outcome),
        hint=hint_for(outcome, package) or "what the module does at import must work on Lambda",
    )
