"""Every known rule for an RFT data file: what it requires, and whose rule it is.

A rule that the rehearsal can't do without `blocks`: reading stops there. The others are reported.
That RFT is offered for some models only is no rule of the file:
`bedrock_rft_sim.recipe.dialects` checks it.

Sources: named beside each rule. AWS's own documents and validators disagree; where one of them
alone asks for something, the rule says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Any, Final, Literal

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.limits import RECORDS_MAX, RECORDS_MIN
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import table_beside

Holder = Literal["service", "SDK", "validator", "rehearsal", "nobody"]
"""service: the user guide. SDK: the Nova Forge SDK, whether or not the sample validator agrees.
validator: the sample validator alone. rehearsal: this project, which can't go on otherwise."""

RuleSeverity = Literal["error", "warning", "note"]

SEVERITY_OF: Final[dict[Holder, RuleSeverity]] = {
    "service": "error",
    "rehearsal": "error",
    "SDK": "warning",
    "validator": "warning",
    "nobody": "note",
}

_SHORT = 80
_NAMES = {
    **vars(sources),
    "NOVA_VALIDATOR": f"{sources.NOVA_SAMPLES}, nova_ft_dataset_validator.py",
    "FORGE_VALIDATOR": "aws/nova-forge-sdk, RFT dataset validator",
    "RECORDS_MIN": f"{RECORDS_MIN:,}",
    "RECORDS_MAX": f"{RECORDS_MAX:,}",
}
"""What rules.toml names with a $."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a data file must keep."""

    id: str
    what: str
    """What is wrong where it is broken; `{place}` stands for the part of the record."""
    expected: str
    hint: str
    source: str
    holder: Holder
    blocks: bool = False
    """Whether the rehearsal can't use the file."""
    stated: RuleSeverity | None = None
    """Only where the holder alone would say too much or too little."""

    @property
    def severity(self) -> RuleSeverity:
        """Return how much it matters: by holder, but an error wherever a run would stop."""
        return "error" if self.blocks else self.stated or SEVERITY_OF[self.holder]


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a rule is broken."""

    rule: Rule
    found: str
    line: int | None = None
    """1-based; None for the file as a whole."""
    place: str = ""
    """The part of the record, such as `messages[0].content`."""
    id: str | None = None
    """The record's own id, where it has one."""

    @property
    def what(self) -> str:
        """Return what is wrong, in words."""
        return self.rule.what.format(place=self.place)

    def error(self, source: str) -> DataError:
        """Return the error that stops a reader; `source` is the file."""
        named = f" (id {self.id!r})" if self.id is not None else ""
        return DataError(
            self.what,
            where=f"{source}{f':{self.line}' if self.line else ''}{named}",
            expected=self.rule.expected,
            found=self.found,
            hint=self.rule.hint,
        )


def violation(
    rule: str, found: object, *, line: int | None = None, place: str = "", id_: object = None
) -> Violation:
    """Return a violation of the rule with that id; what was found is cut to a line's length."""
    return Violation(
        rule=RULES[rule],
        found=shortened(found),
        line=line,
        place=place,
        id=id_ if isinstance(id_, str) else None,
    )


def shortened(found: object) -> str:
    """Return what was found as text, cut to a line's length."""
    text = found if isinstance(found, str) else repr(found)
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def _rules() -> tuple[Rule, ...]:
    table = table_beside(__file__, "rules.toml")
    return tuple(
        Rule(**{key: _filled(value) for key, value in row.items()}) for row in table["rules"]
    )


def _filled(value: Any) -> Any:
    """Return a text with the names of sources and limits filled in."""
    return Template(value).substitute(_NAMES) if isinstance(value, str) else value


RULES: Final[dict[str, Rule]] = {rule.id: rule for rule in _rules()}
"""Every rule by its id, in the order in which a file is read."""
