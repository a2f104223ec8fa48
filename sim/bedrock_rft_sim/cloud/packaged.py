"""A reward on its way to Lambda: zip it, start it once, write it down.

It uploads nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.cloud.archive import Archive, pack
from bedrock_rft_sim.cloud.cold_start import ColdStart, cold_start
from bedrock_rft_sim.cloud.function import LambdaFunction, function_name, runtime_of_this_python
from bedrock_rft_sim.cloud.policies import Policy, policies
from bedrock_rft_sim.errors import PackageError
from bedrock_rft_sim.files import write_file
from bedrock_rft_sim.grader.samples import LambdaLimits

JUDGE_CLIENT = b"bedrock-runtime"


@dataclass(frozen=True)
class Packaged:
    """The zip on disk, and everything that goes with it."""

    path: Path
    archive: Archive
    function: LambdaFunction
    started: ColdStart
    runtime_is_own: bool
    """Whether the runtime is the Python that the package was started on."""
    policies: tuple[Policy, ...]

    @property
    def create_command(self) -> str:
        """The command line that makes the function."""
        return self.function.create_command(self.path.as_posix())

    def as_json(self) -> dict[str, Any]:
        """Return everything but the bytes, JSON-ready."""
        return {
            "zip": str(self.path),
            "bytes": len(self.archive.content),
            "unzipped_bytes": self.archive.unzipped_bytes,
            "sha256": hashlib.sha256(self.archive.content).hexdigest(),
            "code_sha256": self.archive.code_sha256,
            "files": list(self.archive.names),
            "left_out": list(self.archive.left_out),
            "function": {**asdict(self.function), "arn": self.function.arn},
            "cold_start": asdict(self.started),
            "runtime_is_own": self.runtime_is_own,
            "create_function": self.create_command,
            "policies": [asdict(policy) for policy in self.policies],
        }


def package(
    reward: Path,
    out: Path,
    *,
    handler: str,
    name: str | None,
    timeout_s: int,
    memory_mb: int,
    environment: Mapping[str, str],
) -> Packaged:
    """Write the zip, once it has been seen to start; `name` is the function's.

    Raises:
        GraderError: it can't be packed, or does not start; nothing is written then.
    """
    archive = pack(reward, handler=handler, out=out)
    runtime, is_own = runtime_of_this_python()
    function = LambdaFunction(
        name=function_name(name or reward.resolve().stem),
        handler=archive.handler,
        runtime=runtime,
        timeout_s=timeout_s,
        memory_mb=memory_mb,
        environment=dict(environment),
    )
    started = cold_start(
        archive.content,
        reward=reward,
        handler=archive.handler,
        limits=LambdaLimits(timeout_s=timeout_s, memory_mb=memory_mb),
        environment=environment,
    )
    write_file(out, archive.content, "write the zip", kind=PackageError, parents=True)
    # No entry is compressed, so what the files say can be found in the zip.
    judge = JUDGE_CLIENT in archive.content
    return Packaged(
        out, archive, function, started, is_own, policies(function, calls_a_judge=judge)
    )
