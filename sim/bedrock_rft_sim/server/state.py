"""What all APIs share: the jobs, the local S3, the functions, the mapping, the model process.

Deliberately holds no request and no connection.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Final, Self

from bedrock_rft_sim.files import named_errors, real
from bedrock_rft_sim.jobs import Jobs, Start, rehearsal_command
from bedrock_rft_sim.server.aws.local_iam import LocalIam
from bedrock_rft_sim.server.aws.local_s3 import LocalS3
from bedrock_rft_sim.server.bedrock.deployments import Deployments
from bedrock_rft_sim.server.bedrock.output import deliver
from bedrock_rft_sim.server.faults import FaultPlan
from bedrock_rft_sim.server.inference import Models
from bedrock_rft_sim.server.lambda_.layers import Layers
from bedrock_rft_sim.server.lambda_.logs import FunctionLogs
from bedrock_rft_sim.server.lambda_.store import Functions
from bedrock_rft_sim.server.mapping import ModelMapping
from bedrock_rft_sim.server.session import Session, own_token

DEFAULT_REGION: Final = "us-east-1"


class ServerState:
    """Everything an API may use, as long as the block lasts; running jobs go on with the next one.

    Raises:
        RehearsalError: another server holds the root, or something in it can't be read.
    """

    def __init__(
        self,
        root: Path,
        *,
        parallel: int = 1,
        start: Start = rehearsal_command,
        mapping: ModelMapping | None = None,
        region: str = DEFAULT_REGION,
        token: str | None = None,
        makes_token: bool = False,
        url: str | None = None,
        pending_s: float = 0.0,
        faults: FaultPlan | None = None,
    ) -> None:
        """Open everything under `root`; `token` is what a client must show, None lets everybody in.

        With `makes_token` it is the endpoint's own where none is stated. `url` is its address.
        For `pending_s` a function is Pending and a deployment Creating.
        """
        self.root, self.url = real(root), url
        self.region, self.session = region, Session(token)
        with named_errors(self.root, "create the folder"):
            # For its owner alone: functions, recipes and roles may hold keys and passwords.
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.s3 = LocalS3(self.root / "s3")
        self.jobs = Jobs(
            self.root,
            parallel=parallel,
            start=start,
            deliver=partial(deliver, self.s3),
            variables=self.access,
        )
        if makes_token and token is None:  # once the root is held, so that no other makes one too
            self.session.token = own_token(self.root)
        self.pending_s = pending_s
        self.faults = faults or FaultPlan()
        self.iam = LocalIam(self.root / "iam.jsonl", self.s3.moto, delay_s=self.faults.roleDelay)
        self.logs = FunctionLogs(self.root / "logs")
        self.layers = Layers(self.root / "layers")
        self.functions = Functions(
            self.root / "functions", keep_log=self.logs.keep, access=self.access
        )
        self.deployments = Deployments(self.root / "deployments")
        self.mapping = mapping or ModelMapping()
        self.models = Models(log=self.root / "models.log")
        """The process that answers for all models; started by the first question."""
        self.jobs.work()

    def access(self) -> dict[str, str]:
        """Return the variables by which AWS's SDKs in a function reach this endpoint, not AWS."""
        endpoint = {} if self.url is None else {"AWS_ENDPOINT_URL": self.url}
        return {
            **endpoint,
            "AWS_ACCESS_KEY_ID": self.session.token or "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

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
