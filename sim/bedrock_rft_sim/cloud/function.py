"""The Lambda function that a package becomes: its settings and the command that creates it.

Names in capitals (REGION, ACCOUNT_ID, LAMBDA_EXECUTION_ROLE) are placeholders.

Sources: botocore's service model of Lambda (runtimes); AWS Machine Learning Blog on Lambda reward
functions (60 s and 512 MB to start with); AWS Lambda developer guide.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

REGION = "REGION"
ACCOUNT_ID = "ACCOUNT_ID"
EXECUTION_ROLE = "LAMBDA_EXECUTION_ROLE"
TIMEOUT_S = 60
MEMORY_MB = 512
NAME_MAX = 64


@dataclass(frozen=True)
class LambdaFunction:
    """The settings of `create-function`."""

    name: str
    handler: str
    runtime: str
    timeout_s: int = TIMEOUT_S
    memory_mb: int = MEMORY_MB
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Where it will be, with placeholders."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.name}"

    def create_command(self, archive: str) -> str:
        """Return the command line that uploads the zip."""
        words = [
            *("aws", "lambda", "create-function", "--region", REGION),
            *("--function-name", self.name, "--runtime", self.runtime, "--handler", self.handler),
            *("--timeout", str(self.timeout_s), "--memory-size", str(self.memory_mb)),
            *("--role", f"arn:aws:iam::{ACCOUNT_ID}:role/{EXECUTION_ROLE}"),
            *("--zip-file", f"fileb://{archive}"),
        ]
        if self.environment:
            words += ["--environment", json.dumps({"Variables": dict(self.environment)})]
        return shlex.join(words)


def function_name(stem: str) -> str:
    """Return a name that Lambda takes, made from a file's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:NAME_MAX] or "reward"


def lambda_runtimes() -> tuple[str, ...]:
    """Return Lambda's Python runtimes, oldest first, as the installed botocore knows them."""
    from botocore.session import get_session

    shape = get_session().get_service_model("lambda").shape_for("Runtime")
    names = [name for name in getattr(shape, "enum", []) if re.fullmatch(r"python3\.\d+", name)]
    return tuple(sorted(names, key=lambda name: int(name.rpartition(".")[2])))


def runtime_of_this_python() -> tuple[str, bool]:
    """Return the runtime to choose, and whether it is the Python that the package started on."""
    known = lambda_runtimes()
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return (own, True) if own in known else (known[-1], False)
