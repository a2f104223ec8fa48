"""Try a grader before a job uses it: run it on one answer, or only see that it is there.

The errors are OpenAI's eleven flags and three details; a Lambda's fault is the one of a Python
grader. A grader that failed has no reward: null, never 0.
Sources: openai Python library, types of fine_tuning.alpha.graders; Bedrock user guide,
fine-tuning-openai-job-create (the lambda grader).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from bedrock_rft_sim.data import row_from_record
from bedrock_rft_sim.errors import DataError, GraderError, HandlerError, ResponseError
from bedrock_rft_sim.grader import Grade, Grader
from bedrock_rft_sim.grader.samples import Sample, answered
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.recipe.dialects.field_table import Field, check_fields
from bedrock_rft_sim.recipe.local import LOCAL_MODELS
from bedrock_rft_sim.server.lambda_.store import Resolved
from bedrock_rft_sim.server.mantle.create import resolved
from bedrock_rft_sim.server.mantle.errors import OpenAIError, missing, wrong
from bedrock_rft_sim.server.mantle.http import demand_only
from bedrock_rft_sim.server.state import ServerState

FLAGS: Final = (
    "formula_parse_error",
    "invalid_variable_error",
    "model_grader_parse_error",
    "model_grader_refusal_error",
    "model_grader_server_error",
    "other_error",
    "python_grader_runtime_error",
    "python_grader_server_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
)
DETAILS: Final = (
    "model_grader_server_error_details",
    "python_grader_runtime_error_details",
    "python_grader_server_error_type",
)
_WRAP: Final = LOCAL_MODELS["openai"].model_fields["wrapStringAsText"].default


class GraderEndpoints:
    """Endpoints that try graders."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def run(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer `POST /v1/fine_tuning/alpha/graders/run`."""
        demand_only(body, "grader", "model_sample", "item")
        return _run(self._function(body), _sample(body))

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer `POST /v1/fine_tuning/alpha/graders/validate`."""
        self._function(body)
        return {"grader": body["grader"]}

    def _function(self, body: Mapping[str, Any]) -> Resolved:
        grader = body.get("grader")
        if grader is None:
            raise missing("grader")
        if not isinstance(grader, dict):
            raise wrong("grader", "expected an object.")
        for refusal in check_fields(_grader_fields(), grader, keys=("grader",)):
            raise OpenAIError(str(refusal), param=refusal.path, code="invalid_grader")
        return resolved(self._state.functions, grader["lambda"]["function"])


def _grader_fields() -> Mapping[str, Field]:
    """Return what a request for a job may say about its grader."""
    fields: Mapping[str, Field] = openai.FIELDS
    for name in ("method", "reinforcement", "grader"):
        fields = fields[name].members or {}
    return fields


def _sample(body: Mapping[str, Any]) -> Sample:
    answer = body.get("model_sample")
    if not isinstance(answer, str):
        raise wrong("model_sample", "expected the text of an answer.")
    item = body.get("item")
    if not isinstance(item, dict):
        raise wrong("item", "expected a record of the training file.")
    try:
        row = row_from_record(item, source="item", line=1)
    except DataError as error:
        raise OpenAIError(str(error), param="item", code="invalid_item") from error
    return answered(row, answer, row.id)


def _run(function: Resolved, sample: Sample) -> dict[str, Any]:
    began = time.perf_counter()
    grade, errors = None, {**dict.fromkeys(FLAGS, False), **dict.fromkeys(DETAILS)}
    try:
        with Grader(function.deployed.reward.once(wrap=_WRAP)) as grader:
            [grade] = grader.grade([sample]).grades
    except GraderError as error:
        errors |= _flags(error, function)
    return _result(function.id.name, grade, errors, time.perf_counter() - began)


def _flags(error: GraderError, function: Resolved) -> dict[str, Any]:
    """Return what failed; the folder of the code, which only we know, goes by the function."""
    flag = "other_error"
    if isinstance(error, HandlerError):
        flag = "python_grader_runtime_error"
    elif isinstance(error, ResponseError):
        flag = "unresponsive_reward_error"
    words = str(error).replace(function.deployed.code.name, function.deployed.arn)
    return {flag: True, "python_grader_runtime_error_details": words}


def _result(
    name: str, grade: Grade | None, errors: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    parts = {} if grade is None else {part.name: part.value for part in grade.components}
    return {
        "reward": None if grade is None else grade.score,
        "sub_rewards": parts,
        "metadata": {
            "name": name,
            "type": "lambda",
            "errors": errors,
            "execution_time": seconds,
            "scores": parts,
            "token_usage": None,
            "sampled_model_name": None,
        },
        "model_grader_token_usage_per_model": {},
    }
