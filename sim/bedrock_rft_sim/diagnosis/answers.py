"""The answers' form: length, loops, cuts, and whether there was anything to grade.

Sources: AWS reading guide (length explosion is verbosity hacking, a sudden spike means loops);
design of the metric table (`bedrock_rft_sim.contract.metrics`) for truncation and parse failures.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from bedrock_rft_sim.diagnosis.evidence import Evidence, end_means, values_of
from bedrock_rft_sim.diagnosis.finding import STEPS_MIN, Finding, clear, too_short, unknown
from bedrock_rft_sim.stats.shares import percent

EXPLOSION_FACTOR: Final = 2.0
"""Assumed: answers at the end this many times as long as at first."""
SPIKE_FACTOR: Final = 2.0
"""Assumed: one step's answers this many times the median of the ten steps before it."""
SPIKE_WINDOW: Final = 10
LOOPING_SHARE: Final = 0.05
TRUNCATED_SHARE: Final = 0.05
PARSE_SHARE: Final = 0.10
"""Assumed: shares in the last fifth from which on each is reported."""
SUSPECT_SHARE: Final = 0.5
"""Assumed: from this share on, parse failures or cut answers are a problem, and named as the likely
cause where a learning signal is missing."""


def length_explosion(evidence: Evidence) -> Finding:
    """Answers grew, jumped, or end in a loop."""
    rule = "answer length"
    points = evidence.points("response_length_mean")
    values = values_of(points)
    if len(values) < STEPS_MIN:
        return too_short(rule, len(values))
    first, last = end_means(values)
    numbers = {"first_fifth": first, "last_fifth": last}
    found = []
    if last >= EXPLOSION_FACTOR * first:
        found.append(f"Answers grew from {first:.0f} to {last:.0f} tokens.")
    jumps = [
        points[index][0]
        for index in range(SPIKE_WINDOW // 2, len(values))
        if values[index] > SPIKE_FACTOR * median(values[max(0, index - SPIKE_WINDOW) : index])
    ]
    if jumps:
        numbers["jump_step"] = jumps[0]
        found.append(
            f"At step {jumps[0]} they jumped to more than {SPIKE_FACTOR:g} times the length of "
            "the steps before."
        )
    loops = [share for _, share in sorted(evidence.looping.items())]
    ending = end_means(loops)[1] if loops else 0.0
    if ending >= LOOPING_SHARE:
        numbers["looping"] = ending
        found.append(f"{percent(ending)} of the last answers end by repeating themselves.")
    if not found:
        return clear(rule, f"{first:.0f} tokens at first, {last:.0f} at the end.", **numbers)
    return Finding(
        rule,
        "warning",
        " ".join(found),
        numbers,
        "Read the longest answers: if length earns reward, add a length penalty or grade only "
        "what stands after the mark; if they loop, lower the learning rate.",
    )


def truncated_answers(evidence: Evidence) -> Finding:
    """Answers cut at inferenceMaxTokens."""
    rule = "truncation"
    cut = evidence.values("local_truncated_share")
    if not cut:
        return unknown(rule, "How answers ended was not recorded.")
    first, last = end_means(cut)
    limit = evidence.inference_max_tokens
    at = "inferenceMaxTokens" + (f" ({limit:,})" if limit else "")
    says = f"{percent(last)} of the last answers were cut at {at}, {percent(first)} of the first."
    numbers = {"first_fifth": first, "last_fifth": last}
    if last < TRUNCATED_SHARE:
        return clear(rule, says, **numbers)
    return Finding(
        rule,
        "problem" if last >= SUSPECT_SHARE else "warning",
        says + " A cut answer is graded as it stands, mostly as a failure.",
        numbers,
        "Raise inferenceMaxTokens, or ask for shorter answers in the prompt.",
    )


def parse_failures(evidence: Evidence) -> Finding:
    """Answers in which the reward found nothing to grade."""
    rule = "parse failures"
    failed = evidence.values("local_parse_failures")
    if not failed:
        return unknown(
            rule,
            "The reward does not say whether it found an answer (a Metric named answer_found).",
        )
    first, last = end_means(failed)
    says = f"The reward found no answer in {percent(last)} of the last rollouts ({percent(first)} "
    says += "of the first)."
    numbers = {"first_fifth": first, "last_fifth": last}
    if last < PARSE_SHARE:
        return clear(rule, says, **numbers)
    return Finding(
        rule,
        "problem" if last >= SUSPECT_SHARE else "warning",
        says,
        numbers,
        "Let the prompt ask for the very format that the reward looks for, or read more formats; "
        "the page's filter shows such answers.",
    )
