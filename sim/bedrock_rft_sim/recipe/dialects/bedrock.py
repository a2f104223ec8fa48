"""The Nova dialect: the keyword arguments of boto3's `create_model_customization_job`.

Deliberately not a validator of every customization job, only of reinforcement fine-tuning ones.
Sources: botocore service model bedrock/2023-04-20; AWS Bedrock user guide, rft-submit-job and
rft-nova-models; limits in `bedrock_rft_sim.contract.limits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.knobs import HYPERPARAMETERS_PATH
from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS
from bedrock_rft_sim.recipe.dialects import checks
from bedrock_rft_sim.recipe.dialects.dialect import Refusal, Request, Translated
from bedrock_rft_sim.recipe.dialects.service_model import check_shape, input_shape

NAME: Final[Literal["bedrock"]] = "bedrock"
RECORD_SHAPE: Final[Literal["nova"]] = "nova"
KEYS: Final = frozenset((
    "jobName", "customModelName", "roleArn", "clientRequestToken", "baseModelIdentifier",
    "customizationType", "customModelKmsKeyId", "jobTags", "customModelTags", "trainingDataConfig",
    "validationDataConfig", "outputDataConfig", "hyperParameters", "vpcConfig",
    "customizationConfig",
))  # fmt: skip
LAMBDA_PATH: Final = "customizationConfig.rftConfig.graderConfig.lambdaGrader.lambdaArn"
TYPE: Final = "REINFORCEMENT_FINE_TUNING"
_FOUNDATION_MODEL: Final = ":foundation-model/"


def check(request: Request) -> list[Refusal]:
    """Check the shapes first; what they can't express only once they hold."""
    shape = input_shape("bedrock", "CreateModelCustomizationJob")
    refusals = list(check_shape(shape, request))
    if any(not refusal.rehearsable for refusal in refusals):
        return refusals
    return [*refusals, *_check_documented(request)]


def hyperparameters(request: Request) -> dict[str, Any]:
    """Take `rftConfig.hyperParameters` out of a checked request."""
    return dict(request["customizationConfig"]["rftConfig"].get("hyperParameters", {}))


def translate(stated: Mapping[str, Any], overrides: Mapping[str, Any]) -> Translated:
    """Turn the eight hyperparameters into inner names, overrides winning."""
    return checks.prefer_overrides(NAME, stated, overrides)


def job_name(request: Request) -> str | None:
    """Take `jobName`."""
    return str(request["jobName"])


def model_id(request: Request) -> str:
    """Take the model id, without the ARN around it."""
    return str(request["baseModelIdentifier"]).rpartition(_FOUNDATION_MODEL)[2]


def grader_arn(request: Request) -> str:
    """Take `lambdaArn`."""
    grader = request["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"]
    return str(grader["lambdaArn"])


def names_validation(request: Request) -> bool:
    """Whether at least one validator is named."""
    return bool(request.get("validationDataConfig", {}).get("validators"))


def _check_documented(request: Request) -> Iterator[Refusal]:
    kind = request.get("customizationType")
    if kind != TYPE:
        problem = "not reinforcement fine-tuning" if kind else "missing key"
        yield _fatal("customizationType", kind, TYPE, problem=problem)
    config = request.get("customizationConfig", {}).get("rftConfig", {})
    if "graderConfig" in config:
        yield from checks.check_floors(NAME, config.get("hyperParameters", {}))
        yield from checks.check_lambda_region(
            grader_arn(request), path=LAMBDA_PATH, regions=("us-east-1",), source=sources.UG_NOVA
        )
    else:
        yield _fatal(LAMBDA_PATH, None, "the ARN of the reward function", problem="missing key")
    data = request["trainingDataConfig"]
    if len(data) != 1:
        rule, problem = "exactly one of s3Uri, invocationLogsConfig", "not exactly one choice"
        yield _fatal(
            "trainingDataConfig", sorted(data), rule, problem=problem, source=sources.UG_DATA
        )
    if "hyperParameters" in request:
        rule = f"{HYPERPARAMETERS_PATH[NAME]}; these strings are for supervised fine-tuning"
        problem, stated = "not for reinforcement fine-tuning", request["hyperParameters"]
        yield Refusal("hyperParameters", stated, rule, sources.FORGE_SDK, problem)
    yield from checks.check_model(
        model_id(request),
        NOVA_RFT_MODELS,
        path="baseModelIdentifier",
        value=request["baseModelIdentifier"],
        source=sources.UG_NOVA,
    )


def _fatal(
    path: str, value: Any, rule: str, *, problem: str, source: str = sources.UG_SUBMIT
) -> Refusal:
    return Refusal(path, value, rule, source, problem, rehearsable=False)
