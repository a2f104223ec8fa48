"""One row of the ledger.

Deliberately only the shape; the rows stand in the two files beside this one.
Sources: none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fidelity = Literal["exact", "approximate", "assumed", "ignored", "unknown"]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A knob or a behaviour, what the rehearsal does with it, and how faithful that is."""

    knob: str
    """A dotted path of the request, or the name of a behaviour."""
    rehearsal: str
    fidelity: Fidelity
    why: str
    source: str
    settings: tuple[str, ...] = ()
    """The fields of Settings it decides."""
    dialect: Literal["bedrock", "openai"] | None = None
    """None where it concerns both."""
    here: str | None = None
    """What one recipe changes about it for this machine's sake; None where nothing."""
