"""The Nova dialect: the keyword arguments of boto3's `create_model_customization_job`.

Deliberately not a validator of every customization job, only of reinforcement fine-tuning ones.
Sources: botocore service model bedrock/2023-04-20; AWS Bedrock user guide, rft-submit-job and
rft-nova-models; limits in `bedrock_rft_sim.contract.limits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from bedrock_rft_sim.contract import defaults, sources
from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS
from bedrock_rft_sim.recipe.dialects.anatomy import Request, Translated
from bedrock_rft_sim.recipe.dialects.finding import Finding, did_you_mean
from bedrock_rft_sim.recipe.dialects.hyperparameters import check_floors, prefer_overrides
from bedrock_rft_sim.recipe.dialects.places import check_lambda_region, region_of
from bedrock_rft_sim.recipe.dialects.shapes import check_shape, input_shape

NAME: Final[Literal["bedrock"]] = "bedrock"
RECORD_SHAPE: Final[Literal["nova"]] = "nova"
DEFAULTS: Final = defaults.NOVA
KEYS: Final = frozenset(
    {
        "jobName",
        "customModelName",
        "roleArn",
        "clientRequestToken",
        "baseModelIdentifier",
        "customizationType",
        "customModelKmsKeyId",
        "jobTags",
        "customModelTags",
        "trainingDataConfig",
        "validationDataConfig",
        "outputDataConfig",
        "hyperParameters",
        "vpcConfig",
        "customizationConfig",
    }
)
HYPERPARAMETERS: Final = {
    "epochCount": "epochs",
    "batchSize": "batch_size",
    "learningRate": "learning_rate",
    "maxPromptLength": "max_prompt_length",
    "trainingSamplePerPrompt": "samples_per_prompt",
    "inferenceMaxTokens": "inference_max_tokens",
    "reasoningEffort": "reasoning_effort",
    "evalInterval": "eval_interval",
}
HYPERPARAMETERS_PATH: Final = "customizationConfig.rftConfig.hyperParameters"
LAMBDA_PATH: Final = "customizationConfig.rftConfig.graderConfig.lambdaGrader.lambdaArn"
_TYPE: Final = "REINFORCEMENT_FINE_TUNING"
_FOUNDATION_MODEL: Final = ":foundation-model/"


def check(request: Request) -> list[Finding]:
    """Check the shapes first; what they can't express only once they hold."""
    shape = input_shape("bedrock", "CreateModelCustomizationJob")
    findings = list(check_shape(shape, request))
    if any(not finding.rehearsable for finding in findings):
        return findings
    return [*findings, *_check_documented(request)]


def hyperparameters(request: Request) -> dict[str, Any]:
    """Take `rftConfig.hyperParameters` out of a checked request."""
    return dict(request["customizationConfig"]["rftConfig"].get("hyperParameters", {}))


def translate(stated: Mapping[str, Any], overrides: Mapping[str, Any]) -> Translated:
    """Turn the eight hyperparameters into inner names, overrides winning."""
    return prefer_overrides(HYPERPARAMETERS, stated, overrides)


def job_name(request: Request) -> str | None:
    """Take `jobName`."""
    name: str = request["jobName"]
    return name


def model_id(request: Request) -> str:
    """Take the model id, without the ARN around it."""
    identifier: str = request["baseModelIdentifier"]
    return identifier.rpartition(_FOUNDATION_MODEL)[2]


def grader_arn(request: Request) -> str:
    """Take `lambdaArn`."""
    arn: str = request["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"][
        "lambdaArn"
    ]
    return arn


def names_validation(request: Request) -> bool:
    """Whether at least one validator is named."""
    return bool(request.get("validationDataConfig", {}).get("validators"))


def _check_documented(request: Request) -> Iterator[Finding]:
    yield from _check_type(request)
    yield from _check_rft_config(request)
    yield from _check_training_data(request["trainingDataConfig"])
    if "hyperParameters" in request:
        yield Finding(
            path="hyperParameters",
            value=request["hyperParameters"],
            rule=f"{HYPERPARAMETERS_PATH}; these strings are for supervised fine-tuning",
            source=sources.FORGE_SDK,
            problem="not for reinforcement fine-tuning",
        )
    yield from _check_model(request["baseModelIdentifier"])


def _check_type(request: Request) -> Iterator[Finding]:
    found = request.get("customizationType")
    if found != _TYPE:
        yield Finding(
            path="customizationType",
            value=found,
            rule=_TYPE,
            source=sources.UG_SUBMIT,
            problem="not reinforcement fine-tuning" if found else "missing key",
            rehearsable=False,
        )


def _check_rft_config(request: Request) -> Iterator[Finding]:
    config = request.get("customizationConfig", {}).get("rftConfig", {})
    if "graderConfig" not in config:
        yield Finding(
            path=LAMBDA_PATH,
            value=None,
            rule="the ARN of the reward function",
            source=sources.UG_SUBMIT,
            problem="missing key",
            rehearsable=False,
        )
        return
    yield from check_floors(
        config.get("hyperParameters", {}), names=HYPERPARAMETERS, path=HYPERPARAMETERS_PATH
    )
    yield from check_lambda_region(
        grader_arn(request), path=LAMBDA_PATH, regions=("us-east-1",), source=sources.UG_NOVA
    )


def _check_training_data(config: Mapping[str, Any]) -> Iterator[Finding]:
    if len(config) != 1:
        yield Finding(
            path="trainingDataConfig",
            value=sorted(config),
            rule="exactly one of s3Uri, invocationLogsConfig",
            source=sources.UG_DATA,
            problem="not exactly one choice",
            rehearsable=False,
        )


def _check_model(identifier: str) -> Iterator[Finding]:
    name = identifier.rpartition(_FOUNDATION_MODEL)[2]
    regions = NOVA_RFT_MODELS.get(name)
    where = region_of(identifier)
    if regions is None:
        rule = "a model that RFT is documented for: " + ", ".join(NOVA_RFT_MODELS)
    elif where is not None and where not in regions:
        rule = "a Region where RFT is documented for it: " + ", ".join(regions)
    else:
        return
    yield Finding(
        path="baseModelIdentifier",
        value=identifier,
        rule=rule,
        source=sources.UG_NOVA,
        problem="not offered for reinforcement fine-tuning",
        hint=did_you_mean(name, NOVA_RFT_MODELS) if regions is None else None,
    )
