"""The IAM policies of a reward function: who may run it, and what it may do itself.

They stand in policies.json, each with its source; names in capitals are placeholders.
Nothing is created: an administrator reads and attaches them.
No resource policy (`aws lambda add-permission`) is among them, since on both paths Bedrock's guide
asks for lambda:InvokeFunction in the caller's own policy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Literal

from bedrock_rft_sim.cloud.function import LambdaFunction
from bedrock_rft_sim.errors import PackageError
from bedrock_rft_sim.files import write_file

Route = Literal["both", "nova", "open-weight"]
OF_A_JUDGE = "lambda-judge"


@dataclass(frozen=True)
class Policy:
    """One document, and where it goes."""

    name: str
    path: Route
    """The fine-tuning path that needs it."""
    attach_to: str
    document: dict[str, Any]
    source: str


def policies(function: LambdaFunction, *, calls_a_judge: bool) -> tuple[Policy, ...]:
    """Return what to attach for this function, in the order of need."""
    template = Template(Path(__file__).with_name("policies.json").read_text(encoding="utf-8"))
    table = json.loads(template.substitute(FUNCTION_ARN=function.arn, FUNCTION_NAME=function.name))
    found = (Policy(**entry) for entry in table)
    return tuple(policy for policy in found if calls_a_judge or policy.name != OF_A_JUDGE)


def write_policies(written: Sequence[Policy], folder: Path) -> None:
    """Write each document as `<name>.json` into the folder.

    Raises:
        PackageError: the folder can't be written to.
    """
    for policy in written:
        text = json.dumps(policy.document, indent=2) + "\n"
        path = folder / f"{policy.name}.json"
        write_file(path, text, "write the policies", kind=PackageError, parents=True)
