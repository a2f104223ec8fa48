"""What all doors share: the jobs, the local S3, the functions, the mapping, where models lie.

Deliberately holds no request and no connection.
Sources: ARN forms of botocore's service models.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import Jobs, Start, rehearsal_command
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.disk import named_errors
from bedrock_rft_sim.server.aws.local_iam import LocalIam
from bedrock_rft_sim.server.aws.local_s3 import LocalS3
from bedrock_rft_sim.server.bedrock.deployments import Deployments
from bedrock_rft_sim.server.bedrock.names import ACCOUNT, find_deployment, find_model
from bedrock_rft_sim.server.bedrock.output import Delivery
from bedrock_rft_sim.server.lambda_.store import Functions
from bedrock_rft_sim.server.mapping import BASE_MODELS, ModelMapping
from bedrock_rft_sim.server.session import Session

DEFAULT_REGION: Final = "us-east-1"
_FOUNDATION_MODEL: Final = ":foundation-model/"


class UnknownModelError(RehearsalError, LookupError):
    """No base, custom or deployed model has this name."""


@dataclass
class ServerState:
    """Everything a door may use."""

    root: Path
    jobs: Jobs
    s3: LocalS3
    iam: LocalIam
    functions: Functions
    deployments: Deployments
    mapping: ModelMapping = field(default_factory=ModelMapping)
    region: str = DEFAULT_REGION
    account: str = ACCOUNT
    token: str | None = None
    """What a client must show, as access key id or as bearer token; None on loopback."""
    session: Session = field(default_factory=lambda: Session(None))
    """Browsers that showed it."""
    models: Any = None
    """Who answers for the models; set by `bedrock_rft_sim.server.app`."""
    closers: list[Callable[[], None]] = field(default_factory=list)
    """Called when the server ends, last first."""

    def end(self) -> None:
        """End all children; a second time does nothing.

        Those of jobs are asked at once, since a step takes its time; what answers wait for is
        killed meanwhile.
        """
        ending = threading.Thread(target=self.jobs.close, name="ending jobs")
        ending.start()
        try:
            self.functions.close()
            while self.closers:
                self.closers.pop()()
        finally:
            ending.join()

    def resolve_model(self, reference: str) -> Path | str:
        """Return the local model behind a base id, a custom model or a deployment.

        A path for a trained model, else what the mapping names (`tiny`, a folder, a Hub id).

        Raises:
            UnknownModelError: nothing has this name, or its training has not completed.
        """
        base = reference.rpartition(_FOUNDATION_MODEL)[2]
        if base in BASE_MODELS or base in (self.mapping.models or {}):
            return self.mapping.stand_in(base).model
        deployment = find_deployment(self.deployments, reference)
        job = find_model(self.jobs, deployment["modelArn"] if deployment else reference)
        if job is None:
            raise UnknownModelError(
                "there is no model of this name",
                expected="a base model id, a custom model or a deployment",
                found=repr(reference),
            )
        return RunFolder(job.folder, None).model


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
        region=region,
        token=token,
        session=Session(token),
    )
    try:
        yield state
    finally:
        state.end()
