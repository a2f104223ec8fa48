"""The IAM policies of a reward function: who may run it, and what it may do itself.

Names in capitals are placeholders. Nothing is created: an administrator reads and attaches them.
No resource policy (`aws lambda add-permission`) is among them, since on both paths Bedrock's guide
asks for lambda:InvokeFunction in the caller's own policy.

Sources: named beside each policy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bedrock_rft_sim.cloud.function import ACCOUNT_ID, EXECUTION_ROLE, REGION, LambdaFunction
from bedrock_rft_sim.errors import PackageError
from bedrock_rft_sim.files import write_file

Route = Literal["both", "nova", "open-weight"]
ASSUME = "sts:AssumeRole"
GUIDE = "Amazon Bedrock user guide"


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
    judge = (_judge(),) if calls_a_judge else ()
    return (*_of_the_function(function), *judge, *_nova(function), _open_weight(function))


def _of_the_function(function: LambdaFunction) -> tuple[Policy, ...]:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:/aws/lambda/{function.name}:*"
    return (
        Policy(
            "lambda-trust",
            "both",
            f"{EXECUTION_ROLE}, as its trust policy",
            _document(_trust("lambda.amazonaws.com")),
            "AWS Lambda developer guide, lambda-intro-execution-role",
        ),
        Policy(
            "lambda-execution",
            "both",
            EXECUTION_ROLE,
            _document(
                _allow(["logs:CreateLogGroup"], [f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:*"]),
                _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [group]),
            ),
            "AWS Lambda developer guide, lambda-intro-execution-role (logs)",
        ),
    )


def _judge() -> Policy:
    models = f"arn:aws:bedrock:{REGION}::foundation-model/JUDGE_MODEL_ID"
    return Policy(
        "lambda-judge",
        "both",
        f"{EXECUTION_ROLE}, since the reward calls a model",
        _document(_allow(["bedrock:InvokeModel"], [models])),
        f"{GUIDE}, rft-access-security (an inference profile needs further resources)",
    )


def _nova(function: LambdaFunction) -> tuple[Policy, ...]:
    jobs = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:model-customization-job/*"
    trust = _trust("bedrock.amazonaws.com") | {
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
            "ArnEquals": {"aws:SourceArn": jobs},
        }
    }
    bucket = "arn:aws:s3:::TRAINING_BUCKET"
    output = "arn:aws:s3:::OUTPUT_BUCKET/*"
    role = f"arn:aws:iam::{ACCOUNT_ID}:role/BEDROCK_SERVICE_ROLE"
    return (
        Policy(
            "nova-service-trust",
            "nova",
            "BEDROCK_SERVICE_ROLE (the request's roleArn), as its trust policy",
            _document(trust),
            f"{GUIDE}, model-customization-iam-role",
        ),
        Policy(
            "nova-service",
            "nova",
            "BEDROCK_SERVICE_ROLE",
            _document(
                _invoke(function),
                _allow(["s3:GetObject", "s3:ListBucket"], [bucket, f"{bucket}/*"]),
                _allow(["s3:PutObject"], [output]),
            ),
            f"{GUIDE}, rft-access-security and model-customization-iam-role",
        ),
        Policy(
            "nova-caller",
            "nova",
            "whoever calls create_model_customization_job",
            _document(_allow(["iam:PassRole"], [role])),
            "Amazon Bedrock API reference, CreateModelCustomizationJob (roleArn)",
        ),
    )


def _open_weight(function: LambdaFunction) -> Policy:
    return Policy(
        "open-weight-caller",
        "open-weight",
        "the identity behind the Bedrock API key, beside AmazonBedrockMantleFullAccess",
        _document(_invoke(function)),
        f"{GUIDE}, rft-open-weight-access-security",
    )


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _invoke(function: LambdaFunction) -> dict[str, Any]:
    """Return the statement for the function and for its versions and aliases."""
    return _allow(["lambda:InvokeFunction"], [function.arn, f"{function.arn}:*"])


def _trust(service: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": ASSUME}


def write_policies(written: Sequence[Policy], folder: Path) -> None:
    """Write each document as `<name>.json` into the folder.

    Raises:
        PackageError: the folder can't be written to.
    """
    for policy in written:
        text = json.dumps(policy.document, indent=2) + "\n"
        path = folder / f"{policy.name}.json"
        write_file(path, text, "write the policies", kind=PackageError, parents=True)
