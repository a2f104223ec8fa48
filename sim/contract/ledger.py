"""The ledger: what the rehearsal does with every knob of the request and every known behaviour.

One row per knob: what happens here, how faithful that is, why, and who says so.
Deliberately covers what is ignored and what nobody knows as plainly as what is exact: a rehearsal
that hides how it differs from the performance is worse than none.
Sources: named in each row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sim.contract.ledger_behaviours import BEHAVIOURS
from sim.contract.ledger_requests import BEDROCK_FIELDS, OPENAI_FIELDS
from sim.contract.ledger_row import Fidelity, LedgerRow

__all__ = ["FIDELITIES", "LEDGER", "Fidelity", "LedgerRow", "covering", "rows_for"]

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


def covering(knob: str, rows: Iterable[LedgerRow] = LEDGER) -> LedgerRow | None:
    """Find the row of a dotted path, or of the nearest part of the request that holds it."""
    by_knob = {row.knob: row for row in rows}
    while knob and knob not in by_knob:
        knob = knob.rpartition(".")[0]
    return by_knob.get(knob)
