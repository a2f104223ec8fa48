"""Multiple choice: does the answer choose the reference's letter?

An answer chooses by `#### B`, `\\boxed{B}`, `answer: B` or `answer is B` in any case, the last one
that can be read, so that a model may change its mind; or by being nothing but the choice: `B`,
`(B)`, `B.`, or `B) the choice's text` on one line. Brackets, `**` and quotes around it are fine.
The statement must end behind the letter, or go on with punctuation, because, since or as; a small
letter needs brackets or the end of its line, and brackets behind `answer is`: "the answer is a dog"
chooses nothing.
Full score 1.0: the chosen letter is the reference's.
No score: another letter, none, or a hedge (`A or B`, `A, B`, `A/B`, one letter a line).
Letters are ASCII only, A to J unless the environment variable MULTIPLE_CHOICE_LETTERS lists others
(`ABCD`, `ABCDE`, ...). There is no partial credit.
Floor 0.25 on the rows of its tests, the most that a script earns which sees only the prompts:
one letter for everything. Expect the share of the most frequent letter before anything is learnt.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a letter, a text in one of the forms above, or an object that holds either under
`answer`, `final_answer`, `text` or `ground_truth`. A sample without a readable reference raises: a
silent 0 would train on noise.

In `metrics_list`: accuracy (Reward) is the score; answer_found (Metric) is 0 where no choice could
be read.

Sources: MMLU, arXiv 2009.03300, and lm-evaluation-harness (letters, "the answer is (X)"); the hedge
rule is our own.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any

ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
ANSWER_KEYS = ("answer", "final_answer", "text", "ground_truth")
LETTERS = "ABCDEFGHIJ"
STATEMENT_CHARS = 200
LEADS = 8

LEAD = re.compile(r"####|\\boxed\{|answer:|answer is", re.IGNORECASE | re.ASCII)
CHOICE = re.compile(r"[ \t]{0,4}:?[ \t]{0,4}([(\[{*\"']{0,3})([A-Za-z])(?![\w'\u2019])")
END = re.compile(r"([)\]}*\"'$ \t]{0,6})(?:$|\n|[.,;:!)]|because\b|since\b|as\b)")
HEDGE = re.compile(
    r"[)\]}*\"'.,;:/&|+$\s]{1,8}(?:or|and)?\s{0,3}[(\[{*\"']{0,3}"
    r"[A-Z](?=[)\]}*\"'$ \t]{0,6}(?:$|[.,;:!)/&|+\n]))"
)
OTHER_CHOICE = re.compile(r"(?<![A-Za-z])[A-Z][).:]")


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    letters = os.environ.get("MULTIPLE_CHOICE_LETTERS", LETTERS)
    if not re.fullmatch("[A-Z]{2,26}", letters):
        raise ValueError(
            f"MULTIPLE_CHOICE_LETTERS is {letters!r}, expected capitals without spaces: ABCD"
        )
    return [grade(sample, letters=letters) for sample in event]


def grade(sample: dict[str, Any], *, letters: str = LETTERS) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        reference = read_reference(find_reference(sample), letters=letters)
        answer = read_choice(last_answer(sample["messages"]), letters=letters)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    score = float(answer == reference)
    return {
        "id": sample_id,
        "aggregate_reward_score": score,
        "metrics_list": [
            {"name": "accuracy", "value": score, "type": "Reward"},
            {"name": "answer_found", "value": float(answer is not None), "type": "Metric"},
        ],
    }


def find_reference(sample: dict[str, Any]) -> object:
    """The reference as it was sent, from whichever place the payload holds it."""
    metadata = sample.get("metadata")
    places = [metadata if isinstance(metadata, dict) else {}, sample]
    for key in REFERENCE_KEYS:
        for place in places:
            if place.get(key) is not None:
                found: object = place[key]
                return found
    raise ValueError(
        f"no reference: expected {' or '.join(REFERENCE_KEYS)} in metadata or at the root, "
        f"found the keys {sorted(map(str, {*places[0], *sample}))}"
    )


def read_reference(reference: object, *, letters: str = LETTERS) -> str:
    """The letter that a reference of any known shape stands for."""
    if isinstance(reference, dict):
        inner = next((reference[k] for k in ANSWER_KEYS if reference.get(k) is not None), None)
        if isinstance(inner, str):
            return read_reference(inner, letters=letters)
    elif isinstance(reference, str):
        letter = read_choice(reference, letters=letters)
        if letter is not None:
            return letter
    raise ValueError(
        f"unreadable reference {str(reference)[:80]!r}: expected one of the letters {letters}, or "
        f"an object holding it under {', '.join(ANSWER_KEYS)}"
    )


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


@lru_cache(maxsize=1024)  # the samples of one prompt share a reference and mostly an answer
def read_choice(text: str, *, letters: str = LETTERS) -> str | None:
    """The letter an answer chooses, or None where it chooses none or several."""
    leads = list(LEAD.finditer(text))
    for lead in reversed(leads[-LEADS:]):
        statement = text[lead.end() : lead.end() + STATEMENT_CHARS]
        is_prose = lead.group().lower() == "answer is"
        letter = _chosen(statement, letters=letters, is_prose=is_prose)
        if letter is not None:
            return letter
    whole = text.strip()
    is_one_line = not leads and len(whole) <= STATEMENT_CHARS and "\n" not in whole
    if not is_one_line or OTHER_CHOICE.search(whole[2:]):
        return None
    return _chosen(whole, letters=letters)


def _chosen(statement: str, *, letters: str, is_prose: bool = False) -> str | None:
    """The letter a statement starts with, if it is a choice and the only one."""
    choice = CHOICE.match(statement)
    if choice is None or choice[2].upper() not in letters:
        return None
    behind = statement[choice.end() :]
    end = END.match(behind)
    if end is None or HEDGE.match(behind):
        return None
    if choice[2].islower() and not choice[1]:
        is_alone = not behind.strip(").]}*$ \t\r\n") or behind.startswith((")", "\n"))
        if is_prose or not is_alone:
            return None
    return choice[2].upper()
