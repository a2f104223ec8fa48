"""The ledger: what the rehearsal does with every knob of the request and every known behaviour.

One row per knob: what happens here, how faithful that is, why, and who says so.
Deliberately covers what is ignored and what nobody knows as plainly as what is exact: a rehearsal
that hides how it differs from the performance is worse than none.
Sources: named in each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from bedrock_rft_sim.contract.ledger_behaviours import BEHAVIOURS
from bedrock_rft_sim.contract.ledger_requests import BEDROCK_FIELDS, OPENAI_FIELDS
from bedrock_rft_sim.contract.ledger_row import Fidelity, LedgerRow

__all__ = ["FIDELITIES", "LEDGER", "Fidelity", "LedgerRow", "covering", "rows_for", "rows_here"]

LEDGER: Final[tuple[LedgerRow, ...]] = (*BEDROCK_FIELDS, *OPENAI_FIELDS, *BEHAVIOURS)
FIDELITIES: Final[tuple[Fidelity, ...]] = (
    "exact",
    "approximate",
    "assumed",
    "ignored",
    "unknown",
)


def rows_for(dialect: str) -> tuple[LedgerRow, ...]:
    """Take the rows that concern one dialect: its own fields, and every shared behaviour."""
    return tuple(row for row in LEDGER if row.dialect in (None, dialect))


def rows_here(dialect: str, settings: Mapping[str, Any]) -> tuple[LedgerRow, ...]:
    """Take a dialect's rows, each with what one recipe's resolved settings change about it.

    Changed means by `local.overrides` or cut short by `local.maxSteps`: an exact row is then
    approximate.
    """
    changed = {name: words for name, entry in settings.items() if (words := _change(name, entry))}
    return tuple(_as_here(row, changed) for row in rows_for(dialect))


def _change(name: str, entry: Mapping[str, Any]) -> str | None:
    value, source = entry.get("value"), entry.get("source")
    if entry.get("origin") == "override":
        return f"{value} by {source}"
    if name == "max_steps" and value is not None:
        return f"at most {value} steps by {source}"
    return None


def _as_here(row: LedgerRow, changed: Mapping[str, str]) -> LedgerRow:
    words = ", ".join(changed[name] for name in row.settings if name in changed)
    if not words:
        return row
    fidelity: Fidelity = "approximate" if row.fidelity == "exact" else row.fidelity
    return replace(row, here=words, fidelity=fidelity)


def covering(knob: str, rows: Iterable[LedgerRow] = LEDGER) -> LedgerRow | None:
    """Find the row of a dotted path, or of the nearest part of the request that holds it."""
    by_knob = {row.knob: row for row in rows}
    while knob and knob not in by_knob:
        knob = knob.rpartition(".")[0]
    return by_knob.get(knob)
