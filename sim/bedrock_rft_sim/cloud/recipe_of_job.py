"""The recipe of a job that is there already: its request, and a `local:` section to complete."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from bedrock_rft_sim.cloud.names import function_arn
from bedrock_rft_sim.recipe.load import parse_recipe

REQUEST_KEYS: Final = {
    "jobName": "jobName",
    "outputModelName": "customModelName",
    "roleArn": "roleArn",
    "baseModelArn": "baseModelIdentifier",
    "customizationType": "customizationType",
    "outputModelKmsKeyArn": "customModelKmsKeyId",
    "trainingDataConfig": "trainingDataConfig",
    "validationDataConfig": "validationDataConfig",
    "outputDataConfig": "outputDataConfig",
    "vpcConfig": "vpcConfig",
    "customizationConfig": "customizationConfig",
}
"""What GetModelCustomizationJob says of a request, and its name there."""
HEAD: Final = """# The request of {arn},
# read from Bedrock. What stands under local: is a beginning: put the data and the reward there.
"""


def request_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of a job as GetModelCustomizationJob describes it."""
    return {asked: job[said] for said, asked in REQUEST_KEYS.items() if job.get(said)}


def recipe_text(request: Mapping[str, Any], grader_arn: str, *, arn: str) -> str:
    """Return a recipe that sends this request and can be rehearsed once its files are there."""
    from ruamel.yaml import YAML

    uri = request.get("trainingDataConfig", {}).get("s3Uri")
    local = {
        "model": "tiny",
        "trainingData": _file(uri, "train.jsonl"),
        "reward": f"./{function_arn(grader_arn).name}.py",
    }
    validators = request.get("validationDataConfig", {}).get("validators", ())
    for validator in validators[:1]:
        local["validationData"] = _file(validator["s3Uri"], "validation.jsonl")
    yaml, out = YAML(), io.StringIO()
    yaml.width = 100
    yaml.dump({**request, "local": local}, out)
    return HEAD.format(arn=arn) + out.getvalue()


def _file(uri: str | None, otherwise: str) -> str:
    return f"./{PurePosixPath(uri or '').name or otherwise}"


def resolved_of(text: str, *, name: str) -> dict[str, Any]:
    """Return such a recipe as understood, without what only a rehearsal has or would assume."""
    resolved = parse_recipe(text, name=name).resolved()
    settings = {
        key: entry for key, entry in resolved["settings"].items() if entry["origin"] != "assumed"
    }
    return {**resolved, "settings": settings, "local": {}, "overrides": {}}
