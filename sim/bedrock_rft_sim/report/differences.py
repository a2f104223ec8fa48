"""What a recipe says differently from the defaults, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.contract.knobs import Default, defaults
from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.recipe.local import LOCAL_DEFAULTS


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """One value that is not the default."""

    name: str
    value: Any
    default: Default | None
    origin: str
    """stated, override, documented or assumed."""
    source: str


def differences(resolved: Mapping[str, Any]) -> list[ChangedSetting]:
    """Return settings and local values of a resolved recipe that differ from their defaults."""
    table = _defaults(resolved)
    found = []
    for prefix, section in (("", "settings"), ("local.", "local")):
        for name, entry in (resolved.get(section) or {}).items():
            default = table.get(prefix + name)
            value = entry.get("value")
            is_default = value in (None, {}, [], "") if default is None else default.value == value
            if not is_default:
                origin, source = str(entry.get("origin")), str(entry.get("source"))
                found.append(ChangedSetting(prefix + name, value, default, origin, source))
    return found


def _defaults(resolved: Mapping[str, Any]) -> dict[str, Default]:
    dialect = resolved.get("dialect")
    local = {f"local.{name}": default for name, default in LOCAL_DEFAULTS.items()}
    return {**defaults(dialect if dialect in DIALECTS else None), **local}
