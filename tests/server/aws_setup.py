"""What tests of the APIs begin with: a function, data in a bucket, a request."""

from __future__ import annotations

import contextlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

from tests.jobs.conftest import PATIENCE_S, wait_until
from tests.server.conftest import Endpoint

ROLE = "arn:aws:iam::123456789012:role/r"
REWARD = """
def lambda_handler(event, context):
    print("graded", len(event))
    return [{"id": one["id"], "aggregate_reward_score": 1.0} for one in event]
"""
BASE = "amazon.nova-2-lite-v1:0:256k"


def zipped(**files: str) -> bytes:
    """Return a zip of modules by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return out.getvalue()


def create_role(client: Callable[[str], Any]) -> str:
    """Create the role of jobs and functions, unless it is there; `client` makes one of boto3's."""
    iam = client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=ROLE.rpartition("/")[2], AssumeRolePolicyDocument=trust)
    return ROLE


def create_function(endpoint: Endpoint, name: str, code: str = REWARD, **options: Any) -> Any:
    """Create a function of one module."""
    create_role(endpoint.client)
    return endpoint.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": zipped(lambda_function=code)},
        **{"Timeout": 10, "Role": ROLE, **options},
    )


def records(count: int = 100) -> bytes:
    """Return training records."""
    lines = [
        json.dumps(
            {
                "id": f"row-{number}",
                "messages": [{"role": "user", "content": f"What is {number} + 1?"}],
                "reference_answer": {"final_answer": str(number + 1)},
            }
        )
        for number in range(count)
    ]
    return "\n".join(lines).encode() + b"\n"


def put(endpoint: Endpoint, bucket: str, **objects: bytes) -> None:
    """Create a bucket with objects; `__` in a name is a slash."""
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=bucket)
    for name, content in objects.items():
        s3.put_object(Bucket=bucket, Key=name.replace("__", "/") + ".jsonl", Body=content)


def rft_request(name: str, *, bucket: str, function: str, **changes: Any) -> dict[str, Any]:
    """Return the arguments of create_model_customization_job, every documented field in use."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}"
    return {
        "jobName": name,
        "customModelName": f"{name}-model",
        "roleArn": ROLE,
        "baseModelIdentifier": f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}",
        "customizationType": "REINFORCEMENT_FINE_TUNING",
        "trainingDataConfig": {"s3Uri": f"s3://{bucket}/train.jsonl"},
        "validationDataConfig": {"validators": [{"s3Uri": f"s3://{bucket}/validation.jsonl"}]},
        "outputDataConfig": {"s3Uri": f"s3://{bucket}/output/"},
        "jobTags": [{"key": "team", "value": "rft"}],
        "customizationConfig": {
            "rftConfig": {
                "graderConfig": {"lambdaGrader": {"lambdaArn": arn}},
                "hyperParameters": {"batchSize": 16, "epochCount": 2, "learningRate": 5e-5},
            }
        },
        **changes,
    }


def wait_for_job(client: Any, identifier: str, *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """Poll as users do, until the job has ended."""
    found: dict[str, Any] = {}

    def ended() -> bool:
        found.update(client.get_model_customization_job(jobIdentifier=identifier))
        return found["status"] in ("Completed", "Failed", "Stopped")

    wait_until(ended, patience_s=patience_s)
    return found


def settled() -> None:
    """Let a clock tick pass between two things that are told apart by their time."""
    time.sleep(0.002)
