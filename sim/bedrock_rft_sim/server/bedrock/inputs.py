"""Bring what a request names into a folder of its own: data from the local S3, the function's code.

Client names never become paths: the files are called `train.jsonl` and `validation.jsonl`.
Sources: limits in `bedrock_rft_sim.contract.limits`.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from bedrock_rft_sim.contract.limits import RECORDS_MAX, RECORDS_MIN
from bedrock_rft_sim.files import write_file
from bedrock_rft_sim.recipe.dialects import bedrock
from bedrock_rft_sim.server.aws.local_s3 import S3Error, parse_uri
from bedrock_rft_sim.server.errors import AwsError, detected, invalid
from bedrock_rft_sim.server.lambda_.runner import Deployed
from bedrock_rft_sim.server.lambda_.store import Functions
from bedrock_rft_sim.server.rehearsal import reward_of
from bedrock_rft_sim.server.state import ServerState


def prepare(state: ServerState, request: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the part of `local:` that names data and reward, and the function's ARN.

    Raises:
        AwsError: something the request names is not there or out of its limits.
    """
    _refuse_missing_role(state, request["roleArn"])
    function = _function(state.functions, bedrock.grader_arn(request))
    folder = state.root / "inputs" / uuid.uuid4().hex
    train = _object(state, request["trainingDataConfig"], "trainingDataConfig")
    count = sum(1 for line in train.splitlines() if line.strip())
    if not RECORDS_MIN <= count <= RECORDS_MAX:
        rule = f"{RECORDS_MIN:,} to {RECORDS_MAX:,} records, found {count:,}"
        raise invalid(detected([f"trainingDataConfig.s3Uri, expected: {rule}"]))
    validators = request.get("validationDataConfig", {}).get("validators", [])
    validation = [
        _object(state, one, f"validationDataConfig.validators.{number}")
        for number, one in enumerate(validators)
    ]
    _refuse_missing_bucket(state, request["outputDataConfig"]["s3Uri"])
    local = {"trainingData": str(_write(folder / "train.jsonl", train)), **reward_of(function)}
    if validation:
        content = b"\n".join(part.rstrip(b"\n") for part in validation) + b"\n"
        local["validationData"] = str(_write(folder / "validation.jsonl", content))
    return local, function.arn


def _refuse_missing_role(state: ServerState, arn: str) -> None:
    why = state.iam.why_not_assumed(arn)
    if why is not None:
        raise invalid(f"roleArn: could not assume the role: {why}")


def _function(functions: Functions, arn: str) -> Deployed:
    try:
        return functions.resolve(arn).deployed
    except AwsError:
        words = f"there is no Lambda function {arn} at the local endpoint; create it first"
        raise invalid(words) from None


def _object(state: ServerState, config: dict[str, Any], where: str) -> bytes:
    uri = config.get("s3Uri")
    if uri is None:
        raise invalid(f"{where}: invocation logs are not simulated; give s3Uri")
    try:
        return state.s3.get(uri)
    except S3Error as error:
        raise invalid(f"{where}.s3Uri {uri}: {error.what}") from None


def _refuse_missing_bucket(state: ServerState, uri: str) -> None:
    try:
        bucket, _ = parse_uri(uri)
        if not state.s3.has_bucket(bucket):
            raise S3Error(f"there is no bucket {bucket!r} in the local S3")
    except S3Error as error:
        raise invalid(f"outputDataConfig.s3Uri {uri}: {error.what}") from None


def _write(path: Path, content: bytes) -> Path:
    write_file(path, content, "write the data", parents=True)
    return path
