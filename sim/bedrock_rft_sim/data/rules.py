"""Every known rule for an RFT data file: what it requires, and whose rule it is.

A rule that the rehearsal can't do without `blocks`: reading stops there. The others are reported.
That RFT is offered for some models only is no rule of the file:
`bedrock_rft_sim.recipe.dialects` checks it.

Sources: named beside each rule. AWS's own documents and validators disagree; where one of them
alone asks for something, the rule says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from bedrock_rft_sim.contract.limits import RECORDS_MAX, RECORDS_MIN
from bedrock_rft_sim.contract.sources import (
    BEST_PRACTICES,
    HERE,
    NOVA_SAMPLES,
    UG_DATA,
    UG_DATA_OPEN_WEIGHT,
)
from bedrock_rft_sim.errors import DataError

Holder = Literal["service", "SDK", "validator", "rehearsal", "nobody"]
"""service: the user guide. SDK: the Nova Forge SDK, whether or not the sample validator agrees.
validator: the sample validator alone. rehearsal: this project, which can't go on otherwise."""

Severity = Literal["error", "warning", "note"]

SEVERITY_OF: Final[dict[Holder, Severity]] = {
    "service": "error",
    "rehearsal": "error",
    "SDK": "warning",
    "validator": "warning",
    "nobody": "note",
}

_SHORT = 80
_JSONL = "one JSON object per line, in UTF-8, without blank lines between"
_AGAIN = "write the file again with one json.dumps(record) per line"
_RFC = "RFC 8259 (JSON)"
NOVA_VALIDATOR: Final = f"{NOVA_SAMPLES}, nova_ft_dataset_validator.py"
FORGE_VALIDATOR: Final = "aws/nova-forge-sdk, RFT dataset validator"
_BOTH = f"{FORGE_VALIDATOR}; {NOVA_VALIDATOR}"


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
    stated: Severity | None = None
    """Only where the holder alone would say too much or too little."""

    @property
    def severity(self) -> Severity:
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
        found=_short(found),
        line=line,
        place=place,
        id=id_ if isinstance(id_, str) else None,
    )


def _short(found: object) -> str:
    text = found if isinstance(found, str) else repr(found)
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


# Who requires a rule, and from where, is said once for the many rules that share it.
_service = partial(Rule, source=UG_DATA, holder="service", blocks=True)
_strict_json = partial(
    Rule, expected=_JSONL, hint=_AGAIN, source=_RFC, holder="service", blocks=True
)
_rehearsal = partial(Rule, source=HERE, holder="rehearsal", blocks=True)
_sdk_blocks = partial(Rule, source=_BOTH, holder="SDK", blocks=True)
_sdk = partial(Rule, source=_BOTH, holder="SDK")
_messages = partial(
    _service,
    expected='"messages": a non-empty list of {"role": ..., "content": ...}',
    hint="put the prompt into one user message",
)

_TABLE = (
    # The file
    Rule(
        "jsonl-name",
        "the file's name does not end in .jsonl",
        ".jsonl",
        "rename the file",
        f"{UG_DATA}; {FORGE_VALIDATOR}",
        "service",
    ),
    _service(
        "records-exist",
        "the file holds no record",
        "one JSON object per line",
        "check that the file was written to its end",
    ),
    Rule(
        "records-min",
        "too few records",
        f"at least {RECORDS_MIN:,} training records, counted without blank and broken lines",
        "add records",
        f"{UG_DATA}; {UG_DATA_OPEN_WEIGHT}; {FORGE_VALIDATOR}",
        "service",
    ),
    Rule(
        "records-max",
        "too many records",
        f"at most {RECORDS_MAX:,} records, validation records included",
        "leave some out",
        f"{UG_DATA_OPEN_WEIGHT}; {FORGE_VALIDATOR}",
        "service",
    ),
    Rule(
        "no-validation-set",
        "there is a validation set",
        "none for Nova 2 Lite; the API, the console and the sample notebooks take one",
        "keep it: only this validator and the Forge SDK, which leaves it out, say otherwise",
        f"{NOVA_VALIDATOR}; {FORGE_VALIDATOR}",
        "validator",
        stated="note",
    ),
    _sdk(
        "same-keys",
        "{place} stands in some records only",
        "id, reference_answer and tools in every record or in none",
        "add it everywhere, or leave it out everywhere",
        source=FORGE_VALIDATOR,
    ),
    Rule(
        "prompt-length",
        "the prompt is longer than maxPromptLength",
        "at most maxPromptLength tokens, the chat template included",
        "raise maxPromptLength, or shorten the prompt: longer ones are left out of training",
        BEST_PRACTICES,
        "service",
        stated="warning",
    ),
    # A line
    _strict_json("no-byte-order-mark", "the file starts with a byte order mark"),
    _strict_json("utf-8", "the line is not UTF-8"),
    _strict_json("no-nul", "the line holds a NUL byte"),
    _strict_json("json", "the line is not JSON", source=UG_DATA),
    _strict_json("object", "the line is not an object", source=UG_DATA),
    _strict_json("finite-numbers", "the line is not strict JSON"),
    _strict_json(
        "keys-once",
        "the line is not strict JSON",
        source=f"{_RFC}, names should be unique; the validators keep the last one silently",
        holder="rehearsal",
    ),
    _rehearsal(
        "nesting",
        "the JSON is nested too deeply",
        "lists and objects at most 100 deep in each other",
        "flatten the record",
    ),
    _strict_json(
        "line-length",
        "the line is too long",
        source=f"{HERE}: no event to the grader holds more than 6 MB",
        holder="rehearsal",
    ),
    _strict_json(
        "no-blank-lines",
        "a blank line stands between records",
        source=f"{HERE}; {NOVA_VALIDATOR}, which skips them in one place and stops at them in "
        "another",
        holder="rehearsal",
    ),
    Rule(
        "line-feeds",
        "the line ends in a carriage return and a line feed",
        "a line feed alone",
        "leave it: JSON takes both for white space",
        "no source minds it",
        "nobody",
    ),
    # An id
    _sdk_blocks(
        "id-text",
        "the id can't be used",
        "a non-empty string",
        "write a string, or leave id out to have one assigned",
    ),
    _rehearsal(
        "id-unique",
        "the id is not unique",
        "an id of its own for every record",
        "give each record its own id, or leave all ids out",
        source=f"{HERE}: grades come back by id",
    ),
    _rehearsal(
        "whole-characters",
        "{place} holds half of a character",
        "text that UTF-8 can write",
        "write the data again with whole characters",
        source=_RFC,
    ),
    # The reference answer
    _sdk_blocks(
        "reference-usable",
        "reference_answer can't be used",
        "a non-empty string or object",
        "write the answer in words or as an object, or leave the key out",
    ),
    Rule(
        "reference-there",
        "there is no reference_answer",
        "the expected output, or what the grader needs to judge an answer",
        "add it, unless the grader needs none",
        f"{UG_DATA}; {BEST_PRACTICES} calls it optional",
        "service",
        stated="warning",
    ),
    # The messages
    _messages("messages", "the record has no messages"),
    _messages("messages-list", "messages can't be used"),
    _service(
        "message-object",
        "{place} is not an object",
        '{"role": ..., "content": ...}',
        "wrap the text into a message",
    ),
    _service(
        "role",
        "{place} has no role that RFT knows",
        "system, user, assistant",
        "use user for the prompt and system for instructions",
        source=f"{UG_DATA}; {FORGE_VALIDATOR}",
    ),
    _service(
        "content-text",
        "{place} can't be used",
        'a string, or a list of {"type": "text", "text": ...}',
        "RFT trains on text only",
    ),
    _sdk_blocks(
        "content-there", "{place} is empty", "some text", "fill it, or leave the message out"
    ),
    _sdk_blocks(
        "system-first",
        "a system message is not the first",
        "at most one system message, at the start",
        "move it to the front, or merge it with the first one",
    ),
    _sdk_blocks(
        "user-there",
        "there is no user message",
        "at least one message with role user",
        "put the prompt into a user message",
    ),
    _rehearsal(
        "user-last",
        "the last message is not the user's",
        "a prompt: the answer is sampled and appended as the assistant turn",
        "move the wanted answer into reference_answer",
    ),
    _sdk(
        "content-string",
        "{place} is a list of parts",
        "a string; the user guide takes a list of text parts too",
        "join the parts to one string",
    ),
    _sdk(
        "message-keys",
        "{place} has keys besides role and content",
        "role and content only; not every version of the SDK asks for it",
        "move them out of the message: other keys of the record reach the grader",
        source=FORGE_VALIDATOR,
    ),
    Rule(
        "forbidden-words",
        "{place} holds a forbidden word",
        "none of System: User: Bot: Assistant: <image> <video> <unk>, in any case",
        "word it otherwise; whether the service minds it for RFT is not published",
        f"{NOVA_VALIDATOR}; the Forge SDK forbids them for supervised tuning only",
        "validator",
    ),
    Rule(
        "forbidden-words-meant",
        "{place} holds a word that the validator means to forbid",
        "neither Thought: nor [EOS], in any case",
        "leave it: missing commas in the validator's list let both pass",
        NOVA_VALIDATOR,
        "nobody",
    ),
    # The tools
    Rule(
        "tools-required",
        "there are no tools",
        "a non-empty list of tools; the Forge SDK and every published sample do without",
        "leave it: only this validator asks for tools",
        NOVA_VALIDATOR,
        "validator",
        stated="note",
    ),
    _sdk(
        "tools-list",
        "tools can't be used",
        "a non-empty list of tools, or no such key",
        "fill the list, or leave the key out",
    ),
    _sdk(
        "tool-function",
        "{place} is not a function tool",
        '{"type": "function", "function": {"name", "description", "parameters"}}',
        "write it in OpenAI's form",
    ),
    _sdk("tool-named", "{place} is empty", "some text", "name and describe every tool"),
    _sdk(
        "tool-parameters",
        "{place} can't be used",
        '{"type": "object", "properties": {...}}, and required, if given, a list of names',
        "write a JSON schema of an object",
    ),
    _sdk(
        "tool-names-unique",
        "two tools have the same name",
        "a name of its own for every tool",
        "rename one of them",
    ),
)

RULES: Final[dict[str, Rule]] = {rule.id: rule for rule in _TABLE}
"""Every rule by its id, in the order in which a file is read."""
