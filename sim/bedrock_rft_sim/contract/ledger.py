"""The ledger: what the rehearsal does with every knob of the request and every known behaviour.

One row per knob: what happens here, how faithful that is, why, and who says so. The rows stand in
ledger.toml, those of hyperparameters in the table of knobs.
Deliberately covers what is ignored and what nobody knows as plainly as what is exact: a rehearsal
that hides how it differs from the real job is worse than none.
Sources: named in each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.knobs import HYPERPARAMETERS_PATH, KNOBS, DialectName, Fidelity, Knob
from bedrock_rft_sim.files import table_beside

LORA: Final = "LoRA"
"""The row that says which layers are adapted."""
FIDELITIES: Final[tuple[Fidelity, ...]] = get_args(Fidelity)


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
    dialect: DialectName | None = None
    """None where it concerns both."""
    here: str | None = None
    """What one recipe changes about it for this machine's sake; None where nothing."""


def _rows() -> Iterator[LedgerRow]:
    table = table_beside(__file__, "ledger.toml")
    yield from (read_row(entry, dialect="bedrock") for entry in table["bedrock"])
    yield from _of_hyperparameters("bedrock")
    yield from (read_row(entry, dialect="openai") for entry in table["openai"])
    yield from _of_hyperparameters("openai")
    yield from (read_row(entry, dialect="openai") for entry in table["openai_refused"])
    yield from (read_row(entry) for entry in table["behaviour"])


def left_out(rows: Iterable[LedgerRow], knobs: Mapping[str, Knob]) -> Iterator[LedgerRow]:
    """Yield a row for each hyperparameter that the open-weight request lacks and no row covers."""
    covered = {inner for row in rows if row.dialect != "bedrock" for inner in row.settings}
    for inner, knob in knobs.items():
        if inner not in covered and knob.bedrock and knob.open_weight:
            name, default = knob.bedrock.name, knob.open_weight
            yield LedgerRow(
                f"{name} on the open-weight path",
                f"{default.value}, or local.overrides.{name}",
                "assumed",
                "the API has no such field",
                default.source,
                (inner,),
                "openai",
            )


def read_row(entry: dict[str, Any], **known: Any) -> LedgerRow:
    """Build a row; a word that is no fidelity, source or field of a row is an error."""
    source = "; ".join(getattr(sources, name) for name in entry.pop("sources"))
    settings = tuple(entry.pop("settings", ()))
    row = LedgerRow(source=source, settings=settings, **entry, **known)
    if row.fidelity not in FIDELITIES or not source:
        raise ValueError(f"ledger.toml, {row.knob}: {row.fidelity!r}, sources {source!r}")
    return row


def _of_hyperparameters(dialect: DialectName) -> Iterator[LedgerRow]:
    for inner, knob in KNOBS.items():
        known = knob.in_request(dialect)
        if known:
            path = f"{HYPERPARAMETERS_PATH[dialect]}.{known.name}"
            facts = known.rehearsal, known.fidelity, known.why, known.source
            yield LedgerRow(path, *facts, settings=(inner,), dialect=dialect)


_ROWS: Final = tuple(_rows())
LEDGER: Final = (*_ROWS, *left_out(_ROWS, KNOBS))


def rows_for(dialect: str) -> tuple[LedgerRow, ...]:
    """Take the rows that concern one dialect: its own fields, and every shared behaviour."""
    return tuple(row for row in LEDGER if row.dialect in (None, dialect))


def rows_here(
    dialect: str, settings: Mapping[str, Any], lora_odds: str | None = None
) -> tuple[LedgerRow, ...]:
    """Take a dialect's rows, each with what one recipe's resolved settings change about it.

    Changed means by `local.overrides` or cut short by `local.maxSteps`: an exact row is then
    approximate. So is LoRA where the model has layers of another kind: `lora_odds` names them.
    """
    changed = {name: words for name, entry in settings.items() if (words := _change(name, entry))}
    rows = tuple(_as_here(row, changed) for row in rows_for(dialect))
    if lora_odds is None:
        return rows
    return tuple(
        replace(row, here=lora_odds, fidelity="approximate") if row.knob == LORA else row
        for row in rows
    )


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
