"""Decide what each setting is: an override, what the recipe states, or a default.

Deliberately the only place where these three meet; the trainer never asks what was left out.
Sources: `bedrock_rft_sim.contract.knobs`.
"""

from __future__ import annotations

from typing import Any, Final

from bedrock_rft_sim.contract import knobs
from bedrock_rft_sim.recipe.dialects import DIALECTS, DialectName
from bedrock_rft_sim.recipe.dialects.dialect import Translated
from bedrock_rft_sim.recipe.local import LOCAL_DEFAULTS, Local

EMBEDDED_MODEL: Final = "tiny"


def resolve(
    dialect: DialectName, request: dict[str, Any], local: Local
) -> tuple[knobs.Settings, dict[str, knobs.Provenance]]:
    """Build the settings and say where each one, and each local value, comes from."""
    own = DIALECTS[dialect]
    overrides = local.overrides.model_dump(exclude_none=True)
    chosen = _from_defaults(dialect, request, local)
    chosen |= own.translate(own.hyperparameters(request), overrides)
    chosen |= _stated_locally(local)
    values: dict[str, Any] = {
        name: float(value) if knobs.KINDS[name] is float and value is not None else value
        for name, (value, _) in chosen.items()
    }
    provenance = {name: origin for name, (_, origin) in chosen.items()}
    return knobs.Settings(**values), provenance | _local_provenance(local)


def _from_defaults(dialect: DialectName, request: dict[str, Any], local: Local) -> Translated:
    table = knobs.defaults(dialect)
    if local.model == EMBEDDED_MODEL:
        table["training"] = knobs.EMBEDDED_TRAINING
    if _splits(dialect, request, local):
        table["validation_split"] = knobs.OPEN_WEIGHT_VALIDATION_SPLIT
    return {name: (default.value, default.provenance) for name, default in table.items()}


def _splits(dialect: DialectName, request: dict[str, Any], local: Local) -> bool:
    has_set = local.validationData is not None or DIALECTS[dialect].names_validation(request)
    return dialect == "openai" and not has_set


def _stated_locally(local: Local) -> Translated:
    found: Translated = {}
    for inner, knob in knobs.KNOBS.items():
        place, _, name = (knob.local or "").rpartition(".")
        section = local.training if place == "training" else local
        if name in section.model_fields_set and getattr(section, name) is not None:
            found[inner] = getattr(section, name), knobs.Provenance("stated", f"local.{knob.local}")
    return found


def _local_provenance(local: Local) -> dict[str, knobs.Provenance]:
    stated = {f"local.{name.rstrip('_')}" for name in local.model_fields_set}  # lambda_
    stated |= {f"local.lambda.{name}" for name in local.lambda_.model_fields_set}
    stated |= {f"local.vllm.{name}" for name in local.vllm.model_fields_set}
    by_default = {f"local.{name}": known.provenance for name, known in LOCAL_DEFAULTS.items()}
    return by_default | {name: knobs.Provenance("stated", name) for name in stated}
