"""The audit's checks as data: what each asks of a reward, and what to do where it fails.

Names are stable: waivers and tests refer to them.

Sources: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (references score the
maximum, deterministic rewards, reward hacking) and the post on Lambda reward functions (scores
typically -1 to 1); AWS Lambda developer guide (payload, timeout, memory).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.wording import did_you_mean

Group = Literal[
    "references", "wrong answers", "hackability", "determinism", "spread", "cost", "containers"
]


@dataclass(frozen=True)
class Check:
    """One law that a reward should obey."""

    name: str
    group: Group
    law: str
    remedy: str


_PARSE = "compare the answer's final value, read from one agreed place, not any text that holds it"
_TOTAL = "read an answer of any form without raising, and give what can't be read the lowest score"

CHECKS: tuple[Check, ...] = (
    Check(
        "reference",
        "references",
        "every good reply earns the top score under the payload profile in use",
        "read the reference from where the event carries it (see the evidence), or pass the "
        "replies this reward wants with --replies",
    ),
    Check(
        "profiles",
        "references",
        "and under the other places where AWS's documents put the reference",
        "look for reference_answer in metadata and at the root, as a string and as an object",
    ),
    Check(
        "range",
        "references",
        "scores stay between -1 and 1",
        "scale the score; nothing says that the service clips it",
    ),
    Check(
        "reply-form",
        "references",
        "the reply is a plain list of results",
        "return the list itself, without statusCode and body",
    ),
    Check("empty", "wrong answers", "an empty answer does not score", _TOTAL),
    Check(
        "refusal",
        "wrong answers",
        "a refusal does not score",
        "give no credit for text that does not answer",
    ),
    Check(
        "truncated",
        "wrong answers",
        "an answer cut off before its end does not score",
        "demand the final answer, and score what stops before it as wrong",
    ),
    Check(
        "wrong-value",
        "wrong answers",
        "the good reply with a value far off does not score",
        "compare the answer's value with the reference's",
    ),
    Check(
        "changed-digit",
        "wrong answers",
        "the reference with one digit changed does not score",
        "compare whole values as numbers; a substring or a prefix is not equality",
    ),
    Check(
        "other-answer",
        "wrong answers",
        "another record's good reply does not score",
        "compare with this sample's own reference",
    ),
    Check(
        "prompt-echo",
        "wrong answers",
        "the prompt, repeated, does not score",
        "read the last message only, and keep the answer out of the prompt",
    ),
    Check("all-numbers", "hackability", "a list of every candidate does not score", _PARSE),
    Check(
        "many-candidates",
        "hackability",
        "the marker repeated with many candidates does not score",
        "read one marker, for example the last, not any that fits",
    ),
    Check(
        "hidden-answer",
        "hackability",
        "the right value in the text of a wrong answer does not score",
        _PARSE,
    ),
    Check(
        "padding",
        "hackability",
        "10,000 characters of padding do not score, and add nothing to a wrong answer",
        "do not reward length; search with patterns that can't backtrack, in the answer's end only",
    ),
    Check(
        "unicode-digits",
        "hackability",
        "digits of other scripts do not break the reward or pass for ASCII",
        r"match [0-9], not \d or isdigit(), which take every script's digits",
    ),
    Check(
        "nan-inf",
        "hackability",
        "nan, inf and 1e999 do not score and do not break the reward",
        "refuse values that are not finite before comparing",
    ),
    Check(
        "injection",
        "hackability",
        "JSON or orders to a judge inside a wrong answer do not score",
        "quote the answer to the judge as data, and parse only the judge's own reply",
    ),
    Check(
        "repeat",
        "determinism",
        "the same event earns the same scores twice",
        "remove randomness, clocks and counters; a judge needs temperature 0",
    ),
    Check(
        "order",
        "determinism",
        "scores do not depend on the order of the samples",
        "grade each sample by itself",
    ),
    Check(
        "batch",
        "determinism",
        "one event of 16 earns what four of 4 and sixteen of 1 earn",
        "grade each sample by itself, and copy its own id into its result",
    ),
    Check(
        "constant",
        "spread",
        "right and wrong answers do not all score the same",
        "a constant reward gives no gradient: find out why the answers look alike to the reward",
    ),
    Check(
        "binary",
        "spread",
        "scores take more than two values",
        "fine for a verifiable task; where groups come out all alike, partial credit helps",
    ),
    Check(
        "saturated",
        "spread",
        "most answers do not score the top already",
        "make the reward stricter or the prompts harder; groups at the top teach nothing",
    ),
    Check(
        "timeout",
        "cost",
        "the slowest event leaves room under the function's timeout",
        "raise the function's timeout or memory, or send fewer samples per event",
    ),
    Check(
        "payload",
        "cost",
        "the largest event stays under Lambda's 6 MB",
        "send fewer samples per event, or keep long columns out of the records",
    ),
    Check(
        "containers",
        "containers",
        "one and four warm containers give the same answers",
        "keep no state in module globals, and do not use hash(), whose seed is each process's own",
    ),
)

BY_NAME = {check.name: check for check in CHECKS}


def refuse_unknown_checks(waivers: Mapping[str, str]) -> None:
    """Raise where a waiver names no check, or gives no reason."""
    for name, reason in waivers.items():
        if name not in BY_NAME:
            raise RecipeError(
                "no check of that name can be waived",
                where="--waive",
                expected=", ".join(BY_NAME),
                found=repr(name),
                hint=did_you_mean(name, BY_NAME),
            )
        if not reason.strip():
            raise RecipeError(
                "a check is waived for a reason",
                where="--waive",
                expected=f"{name}=why it does not matter here",
                found=f"{name}=",
            )
