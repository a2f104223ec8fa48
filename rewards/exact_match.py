"""Exact match: is the answer the reference text, apart from white space, case and a full stop?

The answer is what stands behind the last `####` up to the end of its line, or the whole text where
there is none. EXACT_MATCH_MARKER names another marker; empty, it means the whole text always.
Full score 1.0: it equals the reference, or one of the references where a list is given, after
runs of white space became one space, one final full stop was dropped, and, unless
EXACT_MATCH_CASE=keep, capitals were lowered.
No score: anything else; an answer that merely contains the reference does not count. There is no
partial credit.
Floor 0.08 on the rows of its tests, the most that a script earns which sees only the prompts:
one reference as the answer to everything.

Text is compared in Unicode's composed form (NFC), so an accent may be written either way; where the
reference is plain ASCII the answer must be so too: look-alike letters and digits of other scripts
are other characters.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a text (the part behind its last marker if it has one), a number, a list of
either, or an object that holds one of these under `answer`, `final_answer`, `text` or
`ground_truth`. A sample without a readable reference raises: a silent 0 would train on noise.

In `metrics_list`: exact_match (Reward) is the score; marker_found (Metric) is 1 where the answer
used the marker.

Sources: SQuAD, arXiv 1606.05250 (exact match after normalisation; articles and punctuation stay
here, because a reference may be code, a name or a date); Amazon Bedrock user guide,
reward-functions (event and reply).
"""

from __future__ import annotations

import os
import unicodedata
from typing import Any

ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
ANSWER_KEYS = ("answer", "final_answer", "text", "ground_truth")
CASES = ("ignore", "keep")


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    marker = os.environ.get("EXACT_MATCH_MARKER", "####")
    case = os.environ.get("EXACT_MATCH_CASE", "ignore")
    if case not in CASES:
        raise ValueError(f"EXACT_MATCH_CASE is {case!r}, expected {' or '.join(CASES)}")
    return [grade(sample, marker=marker, keep_case=case == "keep") for sample in event]


def grade(
    sample: dict[str, Any], *, marker: str = "####", keep_case: bool = False
) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        references = read_references(find_reference(sample), marker=marker)
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    answer = statement_of(text, marker=marker)
    score = float(any(is_same(answer, reference, keep_case=keep_case) for reference in references))
    is_marked = bool(marker) and marker in text
    return {
        "id": sample_id,
        "aggregate_reward_score": score,
        "metrics_list": [
            {"name": "exact_match", "value": score, "type": "Reward"},
            {"name": "marker_found", "value": float(is_marked), "type": "Metric"},
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


def read_references(reference: object, *, marker: str = "####") -> list[str]:
    """The texts that count as right, never empty ones."""
    if isinstance(reference, dict):
        inner = next((reference[k] for k in ANSWER_KEYS if reference.get(k) is not None), None)
        if inner is not None and not isinstance(inner, dict):
            return read_references(inner, marker=marker)
    parts = reference if isinstance(reference, list) else [reference]
    is_readable = all(isinstance(p, (str, int, float)) and not isinstance(p, bool) for p in parts)
    texts = [statement_of(str(part), marker=marker) for part in parts] if is_readable else []
    if texts and all(normalise(text, keep_case=True) for text in texts):
        return texts
    raise ValueError(
        f"unreadable reference {str(reference)[:80]!r}: expected a text, a number, a list of them, "
        f"or an object holding one of these under {', '.join(ANSWER_KEYS)}"
    )


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def statement_of(text: str, *, marker: str) -> str:
    """The part of a text that is compared."""
    if not marker or marker not in text:
        return text
    return text.rpartition(marker)[2].lstrip(" \t").partition("\n")[0]


def is_same(answer: str, reference: str, *, keep_case: bool) -> bool:
    """Whether two texts are one after normalisation."""
    wanted = normalise(reference, keep_case=keep_case)
    if wanted.isascii() and not " ".join(answer.split()).isascii():
        return False
    return normalise(answer, keep_case=keep_case) == wanted


def normalise(text: str, *, keep_case: bool) -> str:
    """Composed characters, single spaces, no final full stop and, unless kept, no capitals."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()).removesuffix("."))
    return composed if keep_case else composed.lower()
