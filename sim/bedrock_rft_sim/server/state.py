"""What all APIs share: the jobs, the local S3, the functions, the mapping, the model process.

Deliberately holds no request and no connection.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bedrock_rft_sim.files import named_errors
from bedrock_rft_sim.jobs import Jobs, Start, rehearsal_command
from bedrock_rft_sim.server.aws.local_iam import LocalIam
from bedrock_rft_sim.server.aws.local_s3 import LocalS3
from bedrock_rft_sim.server.bedrock.deployments import Deployments
from bedrock_rft_sim.server.bedrock.output import Delivery
from bedrock_rft_sim.server.inference import Models
from bedrock_rft_sim.server.lambda_.store import Functions
from bedrock_rft_sim.server.mapping import ModelMapping
from bedrock_rft_sim.server.session import Session

DEFAULT_REGION: Final = "us-east-1"


@dataclass
class ServerState:
    """Everything an API may use."""

    root: Path
    jobs: Jobs
    s3: LocalS3
    iam: LocalIam
    functions: Functions
    deployments: Deployments
    mapping: ModelMapping
    models: Models
    """The process that answers for all models; started by the first question."""
    region: str
    token: str | None
    """What a client must show, as access key id or as bearer token; None on loopback."""
    session: Session
    """Browsers that showed it."""

    def end(self) -> None:
        """End all children; a second time does nothing.

        Those of jobs are signalled at once, since a step takes its time; what answers wait for is
        killed meanwhile.
        """
        ending = threading.Thread(target=self.jobs.close, name="ending jobs")
        ending.start()
        try:
            self.functions.close()
            self.models.close()
        finally:
            ending.join()


@contextmanager
def open_state(
    root: Path,
    *,
    parallel: int = 1,
    start: Start = rehearsal_command,
    mapping: ModelMapping | None = None,
    region: str = DEFAULT_REGION,
    token: str | None = None,
) -> Iterator[ServerState]:
    """Open everything under `root`, close it at the end; running jobs go on with the next one.

    Raises:
        RehearsalError: another server holds the root, or something in it can't be read.
    """
    root = root.resolve()
    with named_errors(root, "create the folder"):
        # For its owner alone: functions, recipes and roles may hold keys and passwords.
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    s3 = LocalS3(root / "s3")
    jobs = Jobs(root, parallel=parallel, start=start, deliver=Delivery(s3))
    state = ServerState(
        root=root,
        jobs=jobs,
        s3=s3,
        iam=LocalIam(root / "iam.jsonl", s3.moto),
        functions=Functions(root / "functions"),
        deployments=Deployments(root / "deployments"),
        mapping=mapping or ModelMapping(),
        models=Models(log=root / "models.log"),
        region=region,
        token=token,
        session=Session(token),
    )
    try:
        yield state
    finally:
        state.end()
