"""Check data files against every rule and measure them: what `rft data check` finds out.

Not here: the steps that a recipe would make of the file (`bedrock_rft_sim.data.plan`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data import Inspection, count_findings
from bedrock_rft_sim.data.inspection import Part, RuleFinding, of_file
from bedrock_rft_sim.data.plan import mostly_dropped
from bedrock_rft_sim.data.prepare.lengths import FileLengths, LengthCounter
from bedrock_rft_sim.data.rules import violation

CounterOf = Callable[..., LengthCounter]
"""From `file`, its name, and `on_long`, what to do with a prompt that is too long."""


@dataclass(frozen=True)
class AuditedFile:
    """One file and how long its texts are."""

    path: Path
    part: Part
    records: int
    """Lines that hold text."""
    valid: int
    """Records without an error."""
    lengths: FileLengths | None
    prompts: tuple[int, ...]
    """Tokens of every valid record's prompt; empty without a tokenizer."""


@dataclass(frozen=True)
class Audit:
    """All files and what is wrong with them."""

    files: tuple[AuditedFile, ...]
    findings: tuple[RuleFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether no error was found; warnings and notes are reported and pass."""
        return all(finding.rule.severity != "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the audit as JSON-ready data."""
        return {
            "ok": self.ok,
            "files": [
                {
                    "file": str(file.path),
                    "part": file.part,
                    "records": file.records,
                    "valid": file.valid,
                    "lengths": None if file.lengths is None else file.lengths.as_json(),
                }
                for file in self.files
            ],
            "findings": [finding.as_json() for finding in self.findings],
        }


def audit(
    training: Sequence[Path],
    validation: Sequence[Path] = (),
    *,
    counter_of: CounterOf | None = None,
) -> Audit:
    """Read the files to their ends.

    Raises:
        DataError: a file can't be read, or a chat template refuses its messages.
    """
    parts: list[tuple[Path, Part]] = [
        *((path, "training") for path in training),
        *((path, "validation") for path in validation),
    ]
    inspections = [Inspection(str(path), part=part) for path, part in parts]
    files = [
        _audited(path, inspection, counter_of)
        for (path, _), inspection in zip(parts, inspections, strict=True)
    ]
    found = [finding for each in inspections for finding in each.findings()]
    return Audit(tuple(files), (*found, *count_findings(inspections), *_few_left(files)))


def _few_left(files: Sequence[AuditedFile]) -> Iterator[RuleFinding]:
    for file in files:
        dropped = 0 if file.lengths is None else file.lengths.dropped or 0
        if file.part == "training" and mostly_dropped(dropped, len(file.prompts)):
            found = f"{dropped:,} of {len(file.prompts):,} prompts are longer"
            yield of_file("prompts-left", str(file.path), found)


def _audited(path: Path, inspection: Inspection, counter_of: CounterOf | None) -> AuditedFile:
    def note_long(line: int, length: int) -> None:
        inspection.add(violation("prompt-length", f"{length} tokens", line=line))

    counter = None if counter_of is None else counter_of(file=str(path), on_long=note_long)
    for line, record, usable in inspection.records_of(path):
        if usable and counter is not None:
            counter.add(line, record)
    lengths = None if counter is None else counter.lengths()
    return AuditedFile(
        path=path,
        part=inspection.part,
        records=inspection.records,
        valid=inspection.valid,
        lengths=lengths,
        prompts=() if counter is None else tuple(counter.prompts),
    )
