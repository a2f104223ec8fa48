"""What both dialects check and translate alike: floors, the function's Region, precedence.

Deliberately knows no ranges of Bedrock's, which stand in the service model, and looks nothing up:
an ARN is only read.
Sources: this project's own arithmetic; AWS Bedrock user guide, rft-nova-models and
fine-tuning-openai-apis (Regions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bedrock_rft_sim.contract.defaults import Provenance
from bedrock_rft_sim.contract.sources import HERE
from bedrock_rft_sim.recipe.dialects.dialect import Refusal, Translated
from bedrock_rft_sim.recipe.wording import Plain

# Below these even a laptop can't rehearse, by inner name.
FLOORS: Final = {
    "epochs": 1,
    "batch_size": 1,
    "max_prompt_length": 1,
    "samples_per_prompt": 2,
    "inference_max_tokens": 1,
    "eval_interval": 1,
}
# These must be positive, by inner name.
POSITIVE: Final = frozenset({"learning_rate", "learning_rate_multiplier"})
_REGION_FIELD: Final = 3


def check_floors(
    values: Mapping[str, Any], *, names: Mapping[str, str], path: str
) -> Iterator[Refusal]:
    """Yield the values that can't be rehearsed at all."""
    for name, value in values.items():
        rule = _floor(names.get(name, name), value)
        if rule:
            yield Refusal(
                path=f"{path}.{name}",
                value=value,
                rule=rule,
                source=f"{HERE}: less can't be trained",
                problem="too small to rehearse",
                rehearsable=False,
            )


def _floor(inner: str, value: Plain) -> str | None:
    if inner in FLOORS and value < FLOORS[inner]:
        return f"at least {FLOORS[inner]}"
    if inner in POSITIVE and value <= 0:
        return "more than 0"
    return None


def prefer_overrides(
    names: Mapping[str, str], stated: Mapping[str, Any], overrides: Mapping[str, Any]
) -> Translated:
    """Give each hyperparameter its inner name; what this machine changes wins."""
    translated: Translated = {}
    for name, inner in names.items():
        if name in overrides:
            translated[inner] = overrides[name], Provenance("override", f"local.overrides.{name}")
        elif name in stated:
            translated[inner] = stated[name], Provenance("stated", name)
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
        yield Refusal(
            path=path,
            value=arn,
            rule="a function in " + ", ".join(regions) + ", where the job runs",
            source=f"{source} (that the function must be in the job's Region is inferred)",
            problem="reward function in another Region",
        )
