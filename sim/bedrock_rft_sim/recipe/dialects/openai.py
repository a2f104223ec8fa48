"""The open-weight dialect: the JSON body of `POST /v1/fine_tuning/jobs` on bedrock-mantle.

Deliberately strict about keys that OpenAI's schema has and Bedrock's documents never show: they
are refusals, not features.
Sources: AWS Bedrock user guide, fine-tuning-openai-job-create and fine-tuning-openai-apis;
aws-samples/amazon-bedrock-samples; openai Python library (the schema's other keys).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args

from bedrock_rft_sim.contract import limits, sources
from bedrock_rft_sim.contract.knobs import KINDS, KNOBS, OPEN_WEIGHT_LEARNING_RATE, Provenance
from bedrock_rft_sim.recipe.dialects import checks
from bedrock_rft_sim.recipe.dialects.dialect import Refusal, Request, Translated
from bedrock_rft_sim.recipe.dialects.field_table import Field, Kind, check_fields

NAME: Final[Literal["openai"]] = "openai"
RECORD_SHAPE: Final[Literal["open-weight"]] = "open-weight"
LAMBDA_PATH: Final = "method.reinforcement.grader.lambda.function"
MULTIPLIER: Final = "learning_rate_multiplier"
# What OpenAI's schema says for "you choose"; a default is what that amounts to here.
_UNSAID: Final = ("auto", "default")

_SUFFIX: Final = f"no suffix; {sources.UG_OPENAI_JOBS} names it as unsupported"


def _hyperparameter_field(kind: Any, *, documented: bool) -> Field:
    if kind in (int, float):
        words: Kind = "whole number" if kind is int else "number"
        return Field(words, documented=documented, or_auto=True)
    return Field("string", documented=documented, choices=("default", *get_args(kind)))


_HYPERPARAMETER_FIELDS: Final = {
    **{
        knob.openai.name: _hyperparameter_field(KINDS[inner], documented=knob.openai.documented)
        for inner, knob in KNOBS.items()
        if knob.openai
    },
    "eval_samples": Field("whole number", documented=False, or_auto=True),
    "compute_multiplier": Field("number", documented=False, or_auto=True),
}
_LAMBDA: Final = Field(
    "string",
    required=True,
    pattern=limits.LAMBDA_ARN_PATTERN,
    max_length=limits.LAMBDA_ARN_MAX_LENGTH,
)


def _section(**members: Field) -> Field:
    return Field("mapping", required=True, members=members)


def _choice(only: str) -> Field:
    return Field("string", required=True, choices=(only,))


FIELDS: Final = {
    "model": Field("string", required=True),
    "training_file": Field("string", required=True),
    "method": _section(
        type=_choice("reinforcement"),
        reinforcement=_section(
            grader=_section(type=_choice("lambda"), **{"lambda": _section(function=_LAMBDA)}),
            hyperparameters=Field("mapping", members=_HYPERPARAMETER_FIELDS),
        ),
    ),
    "suffix": Field("string", documented=False, refusal=_SUFFIX),
    "validation_file": Field("string", documented=False),
    "seed": Field("whole number", documented=False),
    "metadata": Field("mapping", documented=False),
    "integrations": Field("list", documented=False),
    "hyperparameters": Field("mapping", documented=False),
}
KEYS: Final = frozenset(FIELDS)


def check(request: Request) -> list[Refusal]:
    """Check the shapes first; what they can't express only once they hold."""
    refusals = list(check_fields(FIELDS, request))
    if any(not refusal.rehearsable for refusal in refusals):
        return refusals
    return [*refusals, *_check_documented(request)]


def hyperparameters(request: Request) -> dict[str, Any]:
    """Take the hyperparameters out of a checked request, without those left to the service."""
    stated = request["method"]["reinforcement"].get("hyperparameters", {})
    return {name: value for name, value in stated.items() if value not in _UNSAID}


def translate(stated: Mapping[str, Any], overrides: Mapping[str, Any]) -> Translated:
    """Turn hyperparameters into inner names; what this API lacks can only be overridden."""
    translated = checks.prefer_overrides(NAME, stated, overrides)
    return translated | {"learning_rate": _learning_rate(stated, overrides)}


def job_name(request: Request) -> str | None:  # noqa: ARG001
    """Say that this dialect has no job names."""
    return None


def model_id(request: Request) -> str:
    """Take `model`."""
    return str(request["model"])


def grader_arn(request: Request) -> str:
    """Take the grader's `function`."""
    return str(request["method"]["reinforcement"]["grader"]["lambda"]["function"])


def names_validation(request: Request) -> bool:
    """Whether `validation_file` is named."""
    return "validation_file" in request


def _learning_rate(
    stated: Mapping[str, Any], overrides: Mapping[str, Any]
) -> tuple[float, Provenance]:
    base = overrides.get("learningRate", OPEN_WEIGHT_LEARNING_RATE.value)
    multiplier = overrides.get(MULTIPLIER, stated.get(MULTIPLIER, 1.0))
    changed = [name for name in ("learningRate", MULTIPLIER) if name in overrides]
    product = f"{MULTIPLIER} {multiplier} × base rate {base}"
    if changed:
        where = ", ".join(f"local.overrides.{name}" for name in changed)
        return base * multiplier, Provenance("override", f"{product}: {where}")
    assumed = f"{product}; Bedrock's base rate is not known: {OPEN_WEIGHT_LEARNING_RATE.source}"
    return base * multiplier, Provenance("assumed", assumed)


def _check_documented(request: Request) -> Iterator[Refusal]:
    yield from checks.check_floors(NAME, hyperparameters(request))
    yield from checks.check_lambda_region(
        grader_arn(request), path=LAMBDA_PATH, regions=("us-west-2",), source=sources.UG_OPENAI
    )
    model = request["model"]
    yield from checks.check_model(
        model, limits.OPEN_WEIGHT_RFT_MODELS, path="model", value=model, source=sources.UG_OPENAI
    )
