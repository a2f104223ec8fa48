"""From a checked request to the recipe that rehearses it, whichever API it came through."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from bedrock_rft_sim.jobs import Job, warnings_of
from bedrock_rft_sim.recipe import parse_recipe
from bedrock_rft_sim.recipe.dialects import DIALECTS, DialectName
from bedrock_rft_sim.server.lambda_.runner import Deployed
from bedrock_rft_sim.server.left_out import data_remarks
from bedrock_rft_sim.server.state import ServerState

_HEX: Final = "[0-9a-f]{32}"
_CODE: Final = "[0-9a-f]{64}"
"""The folder of a function's code."""
_LIMIT_IS_OURS: Final = ", which rft serve --mapping limits,"


def rehearsal_of(
    state: ServerState, dialect: DialectName, request: Mapping[str, Any], local: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the recipe, and remarks on what differs from the request.

    `local` names data and reward, the mapping decides the rest.

    Raises:
        RecipeError: what would end the job in its first second, such as a bad override, or leave
            next to nothing to train on.
    """
    stand_in = state.mapping.of_request(dialect, request)
    recipe = {**request, "local": {**stand_in.local(dialect, request), **local}}
    path = state.root / "recipes" / "job.yaml"
    checked = parse_recipe(json.dumps(recipe), name="the job", path=path)
    return recipe, stand_in.remarks(dialect, request) + data_remarks(checked)


def told(job: Job) -> list[str]:
    """Return what a client must know of a job: what differs from its request, and warnings."""
    remarks = (
        job.bedrock.remarks
        if job.kind == "bedrock"
        else [event["message"] for event in job.openai.remark_events]
    )
    said = [remark.removeprefix("rehearsal: ") for remark in remarks]
    known = {remark.removeprefix("warning: ") for remark in said}
    return said + [warning for warning in warnings_of(job.folder) if warning not in known]


def failure_of(job: Job) -> str | None:
    """Return why a job failed, with the request's own names for its data and its fields."""
    if job.failure is None:
        return None
    words = job.failure
    for pattern, name in _names(job):
        words = name.join(re.split(pattern, words))
    return words


def _names(job: Job) -> list[tuple[str, str]]:
    """Return patterns of what only this machine knows, and what a client calls it."""
    request, folder = job.request, re.escape(str(job.folder))
    if job.kind == "bedrock":
        validators = request.get("validationDataConfig", {}).get("validators", [])
        train = str(request["trainingDataConfig"].get("s3Uri"))
        validation = ", ".join(str(one.get("s3Uri")) for one in validators)
    else:
        train, validation = str(request["training_file"]), "the validation file"
    return [
        (rf"\S*/inputs/{_HEX}/train\.jsonl", train),
        (rf"\S*/inputs/{_HEX}/validation\.jsonl", validation),
        (r"\S*/files/[0-9a-f-]{36}\S*?\.jsonl", train),
        (rf"{folder}\S*", f"the run of job {job.id}"),
        (rf"\S*{_CODE}", DIALECTS[job.kind].grader_arn(request)),
        (r"local\.lambda\.timeout", "the function's Timeout"),
        (r"local\.lambda\.memorySize", "the function's MemorySize"),
        (r"\s*\(for rft serve: limits\.maxPromptLength in --mapping\)", _LIMIT_IS_OURS),
        (r"local\.overrides\.", ""),
        (r" under local\.overrides", " in the request"),
    ]


def reward_of(function: Deployed) -> dict[str, Any]:
    """Return the reward's part of `local:` for a function."""
    settings: dict[str, Any] = {"timeout": function.timeout_s, "memorySize": function.memory_mb}
    settings["passAwsCredentials"] = True  # the local ones, which are all that the child has
    if function.environment:
        settings["environment"] = function.environment
    return {"reward": str(function.code), "handler": function.handler, "lambda": settings}
