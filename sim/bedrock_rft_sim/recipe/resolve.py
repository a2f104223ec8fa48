"""Decide what each setting is: an override, what the recipe states, or a default.

Deliberately the only place where these three meet; the trainer never asks what was left out.
Sources: `bedrock_rft_sim.contract.defaults`.
"""

from __future__ import annotations

from typing import Any, Final

from bedrock_rft_sim.contract import defaults
from bedrock_rft_sim.contract.defaults import Default, Provenance
from bedrock_rft_sim.recipe.dialects import DIALECTS, DialectName
from bedrock_rft_sim.recipe.dialects.dialect import Translated
from bedrock_rft_sim.recipe.local import Local
from bedrock_rft_sim.recipe.settings import Settings

EMBEDDED_MODEL: Final = "tiny"

# Names under local.training and, last two, under local itself -> fields of Settings.
TRAINING_NAMES: Final = {
    "method": "training",
    "loraRank": "lora_rank",
    "loraAlpha": "lora_alpha",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "clipRange": "clip_range",
    "klCoefficient": "kl_coefficient",
    "gradientClip": "gradient_clip",
    "weightDecay": "weight_decay",
    "adamBeta1": "adam_beta1",
    "adamBeta2": "adam_beta2",
    "adamEpsilon": "adam_epsilon",
    "shuffle": "shuffle",
}
LOCAL_NAMES: Final = {
    "seed": "seed",
    "checkpointInterval": "checkpoint_interval",
    "maxSteps": "max_steps",
}
_FLOATS: Final = frozenset(
    name for name, kind in Settings.__annotations__.items() if kind == "float"
)


def resolve(
    dialect: DialectName, request: dict[str, Any], local: Local
) -> tuple[Settings, dict[str, Provenance]]:
    """Build the settings and say where each one, and each local value, comes from."""
    speaker = DIALECTS[dialect]
    overrides = local.overrides.model_dump(exclude_none=True)
    chosen = _from_defaults(dialect, request, local)
    chosen |= speaker.translate(speaker.hyperparameters(request), overrides)
    chosen |= _stated_locally(local)
    values: dict[str, Any] = {
        name: float(value) if name in _FLOATS else value for name, (value, _) in chosen.items()
    }
    provenance = {name: origin for name, (_, origin) in chosen.items()}
    return Settings(**values), provenance | _local_provenance(local)


def _from_defaults(dialect: DialectName, request: dict[str, Any], local: Local) -> Translated:
    table: dict[str, Default] = {**defaults.ALGORITHM, **DIALECTS[dialect].DEFAULTS}
    if local.model == EMBEDDED_MODEL:
        table["training"] = defaults.EMBEDDED_TRAINING
    if _splits(dialect, request, local):
        table["validation_split"] = defaults.OPEN_WEIGHT_VALIDATION_SPLIT
    return {name: (default.value, default.provenance) for name, default in table.items()}


def _splits(dialect: DialectName, request: dict[str, Any], local: Local) -> bool:
    has_set = local.validationData is not None or DIALECTS[dialect].names_validation(request)
    return dialect == "openai" and not has_set


def _stated_locally(local: Local) -> Translated:
    groups = (("local.training", local.training, TRAINING_NAMES), ("local", local, LOCAL_NAMES))
    return {
        inner: (getattr(section, name), Provenance("stated", f"{place}.{name}"))
        for place, section, names in groups
        for name, inner in names.items()
        if name in section.model_fields_set and getattr(section, name) is not None
    }


def _local_provenance(local: Local) -> dict[str, Provenance]:
    stated = {f"local.{_alias(name)}" for name in local.model_fields_set}
    stated |= {f"local.lambda.{name}" for name in local.lambda_.model_fields_set}
    by_default = {f"local.{name}": default.provenance for name, default in defaults.LOCAL.items()}
    return by_default | {name: Provenance("stated", name) for name in stated}


def _alias(name: str) -> str:
    return name.rstrip("_")
