"""Check a whole data file against every rule and go on after each violation.

Kept of each rule: how often it is broken, the first lines, the first place. Counts
follow the sample validator: blank lines are no records, and a record that breaks a rule with the
severity of an error does not count as one of the 100 to 20,000. Taken by its word, that validator
counts no record without tools, and so none of AWS's own samples; `tools-required` says so instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bedrock_rft_sim.contract.limits import RECORDS_MAX, RECORDS_MIN
from bedrock_rft_sim.data.lines import JsonObject, scan
from bedrock_rft_sim.data.reader import Ids, no_records
from bedrock_rft_sim.data.record import OPTIONAL_KEYS, blocking, remarks
from bedrock_rft_sim.data.rules import RULES, Rule, Violation, violation

LINES_SHOWN = 5

# Violations that come with a record, or where none could be.
BESIDE_A_RECORD = {"no-byte-order-mark", "line-feeds", "no-blank-lines"}

Part = Literal["training", "validation"]


@dataclass(slots=True)
class RuleFinding:
    """One rule that one file breaks."""

    rule: Rule
    file: str
    first: Violation
    count: int = 0
    """Lines that break it; 1 for the file as a whole."""
    lines: tuple[int, ...] = ()
    """The first of them."""
    last_line: int | None = None

    def add(self, line: int | None) -> None:
        """Count one more place; a line counts once, however often it breaks the rule."""
        if line is None or line != self.last_line:
            self.last_line = line
            self.count += 1
            if line is not None and len(self.lines) < LINES_SHOWN:
                self.lines += (line,)

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON-ready data."""
        return {
            "rule": self.rule.id,
            "severity": self.rule.severity,
            "holder": self.rule.holder,
            "file": self.file,
            "count": self.count,
            "lines": list(self.lines),
            "what": self.first.what,
            "found": self.first.found,
            "expected": self.rule.expected,
            "next": self.rule.hint,
            "source": self.rule.source,
        }

    def __str__(self) -> str:
        return (
            f"{self.rule.severity} {self.rule.id}: {self.place}: {self.first.what}; expected: "
            f"{self.rule.expected}; found: {self.first.found}; next: {self.rule.hint} "
            f"({self.rule.source})"
        )

    @property
    def place(self) -> str:
        """Return file and first lines, and how often the rule is broken."""
        if not self.lines:
            return self.file
        more = f", ... ({self.count:,} times)" if self.count > len(self.lines) else ""
        return f"{self.file}:{','.join(map(str, self.lines))}{more}"


class Inspection:
    """One file, or one source of records, under the rules."""

    def __init__(self, name: str, *, part: Part = "training") -> None:
        self.name = name
        self.part: Part = part
        self.records = 0
        """Lines that hold text."""
        self.valid = 0
        """Records that break no rule with the severity of an error."""
        self._ids = Ids()
        self._found: dict[str, RuleFinding] = {}
        self._keys: dict[str, tuple[bool, int]] = {}

    def add(self, broken: Violation) -> None:
        """Note one violation."""
        found = RuleFinding(broken.rule, self.name, broken)
        self._found.setdefault(broken.rule.id, found).add(broken.line)

    def check(self, line: int, record: Mapping[str, Any]) -> bool:
        """Check one record against the rules; return whether it can be trained on."""
        broken = [*blocking(record, line), *self._beside_others(record, line)]
        for each in (*broken, *remarks(record, line)):
            self.add(each)
        self.records += 1
        usable = not any(each.rule.severity == "error" for each in broken)
        self.valid += usable
        return usable

    def _beside_others(self, record: Mapping[str, Any], line: int) -> Iterator[Violation]:
        given = record.get("id", f"row-{line:06d}")
        repeated = self._ids.repeated(given, line) if isinstance(given, str) else None
        if repeated is not None:
            yield repeated
        for key in OPTIONAL_KEYS:
            is_there = key in record
            was_there, first = self._keys.setdefault(key, (is_there, line))
            if is_there != was_there:
                found = f"{'there' if was_there else 'missing'} on line {first}, not on this one"
                yield violation("same-keys", found, line=line, place=key, id_=given)

    def records_of(self, path: Path) -> Iterator[tuple[int, JsonObject, bool]]:
        """Yield line, record and whether it can be trained on, for every record of the file.

        Violations are added on the way, those of the file as a whole at the end.

        Raises:
            DataError: the file can't be read.
        """
        if path.suffix != ".jsonl":
            self.add(violation("jsonl-name", path.name))
        for number, seen in scan(path):
            if not isinstance(seen, Violation):
                yield number, seen, self.check(number, seen)
                continue
            self.add(seen)
            self.records += seen.rule.id not in BESIDE_A_RECORD
        if self.records == 0:
            self.add(no_records(path))

    def inspect(self, path: Path) -> None:
        """Check the file against the rules to its end.

        Raises:
            DataError: the file can't be read.
        """
        for _ in self.records_of(path):
            pass

    def findings(self) -> tuple[RuleFinding, ...]:
        """Return what was found so far, in the order of the table of rules."""
        return tuple(self._found[name] for name in RULES if name in self._found)


def count_findings(inspections: Sequence[Inspection]) -> tuple[RuleFinding, ...]:
    """Return what the numbers of valid records break, counted as the sample validator counts.

    The minimum holds for each training file, the maximum for all files together.
    """
    found: list[RuleFinding] = []
    total = 0
    for inspection in inspections:
        total += inspection.valid
        if inspection.part == "training" and inspection.valid < RECORDS_MIN:
            found.append(of_file("records-min", inspection.name, _valid(inspection.valid)))
        if inspection.part == "validation":
            found.append(of_file("no-validation-set", inspection.name, _valid(inspection.valid)))
    if total > RECORDS_MAX:
        names = ", ".join(inspection.name for inspection in inspections)
        found.append(of_file("records-max", names, _valid(total)))
    return tuple(found)


def _valid(count: int) -> str:
    return f"{count:,} valid records"


def of_file(rule: str, name: str, what: str) -> RuleFinding:
    """Return what a file as a whole breaks."""
    found = RuleFinding(RULES[rule], name, violation(rule, what))
    found.add(None)
    return found
