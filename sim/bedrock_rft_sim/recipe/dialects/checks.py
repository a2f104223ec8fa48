"""What both dialects check and translate alike: floors, the function's Region, precedence.

Deliberately knows no ranges of Bedrock's, which stand in the service model, and looks nothing up:
an ARN is only read.
Sources: this project's own arithmetic; AWS Bedrock user guide, rft-nova-models and
fine-tuning-openai-apis (Regions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bedrock_rft_sim.contract import knobs
from bedrock_rft_sim.contract.sources import HERE
from bedrock_rft_sim.recipe.dialects.dialect import Refusal, Translated
from bedrock_rft_sim.recipe.wording import Plain, did_you_mean

NOT_OFFERED: Final = "not offered for reinforcement fine-tuning"
_REGION_FIELD: Final = 3


def check_floors(dialect: knobs.DialectName, stated: Mapping[str, Any]) -> Iterator[Refusal]:
    """Yield the hyperparameters that are too small to be rehearsed at all."""
    inner = knobs.hyperparameters(dialect)
    for name, value in stated.items():
        rule = _floor(knobs.KNOBS[inner[name]].bounds, value) if name in inner else None
        if rule:
            path = f"{knobs.HYPERPARAMETERS_PATH[dialect]}.{name}"
            source = f"{HERE}: less can't be trained"
            yield Refusal(path, value, rule, source, "too small to rehearse", rehearsable=False)


def _floor(bounds: Mapping[str, Any], value: Plain) -> str | None:
    if "ge" in bounds and value < bounds["ge"]:
        return f"at least {bounds['ge']}"
    return f"more than {bounds['gt']}" if "gt" in bounds and value <= bounds["gt"] else None


def prefer_overrides(
    dialect: knobs.DialectName, stated: Mapping[str, Any], overrides: Mapping[str, Any]
) -> Translated:
    """Give each hyperparameter its inner name; what this machine changes wins."""
    translated: Translated = {}
    for inner, knob in knobs.KNOBS.items():
        own, name = knob.in_request(dialect), knob.override(dialect)
        if name and name in overrides:
            origin = knobs.Provenance("override", f"local.overrides.{name}")
            translated[inner] = overrides[name], origin
        elif own and own.name in stated:
            translated[inner] = stated[own.name], knobs.Provenance("stated", own.name)
    return translated


def region_of(arn: str) -> str | None:
    """Read the Region out of an ARN; None for anything else."""
    fields = arn.split(":")
    is_arn = fields[0] == "arn" and len(fields) > _REGION_FIELD
    return fields[_REGION_FIELD] if is_arn else None


def check_lambda_region(
    arn: str, *, path: str, regions: Sequence[str], source: str
) -> Iterator[Refusal]:
    """Yield a refusal where the function is in none of the Regions that run such jobs."""
    region = region_of(arn)
    if region is not None and region not in regions:
        rule = "a function in " + ", ".join(regions) + ", where the job runs"
        inferred = f"{source} (that the function must be in the job's Region is inferred)"
        yield Refusal(path, arn, rule, inferred, "reward function in another Region")


def check_model(
    name: str, offered: Mapping[str, Sequence[str]], *, path: str, value: str, source: str
) -> Iterator[Refusal]:
    """Yield a refusal of a model without RFT, anywhere or in the Region of its ARN."""
    region = region_of(value)
    if name not in offered:
        rule = "a model that RFT is documented for: " + ", ".join(offered)
        yield Refusal(path, value, rule, source, NOT_OFFERED, hint=did_you_mean(name, offered))
    elif region is not None and region not in offered[name]:
        rule = "a Region where RFT is documented for it: " + ", ".join(offered[name])
        yield Refusal(path, value, rule, source, NOT_OFFERED)
