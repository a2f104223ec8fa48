"""What both dialects do with hyperparameters: floors below which nothing trains, and precedence.

Deliberately knows no ranges of Bedrock's: those stand in the service model.
Sources: this project's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bedrock_rft_sim.contract.defaults import Provenance
from bedrock_rft_sim.contract.sources import HERE
from bedrock_rft_sim.recipe.dialects.anatomy import Translated
from bedrock_rft_sim.recipe.dialects.finding import Finding, Plain

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


def check_floors(
    values: Mapping[str, Any], *, names: Mapping[str, str], path: str
) -> Iterator[Finding]:
    """Yield the values that can't be rehearsed at all."""
    for name, value in values.items():
        rule = _floor(names.get(name, name), value)
        if rule:
            yield Finding(
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
