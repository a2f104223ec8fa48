"""The answers' form: length, loops, cuts, and whether there was anything to grade.

Sources: AWS reading guide (length explosion is verbosity hacking, a sudden spike means loops);
design of the metric table (`bedrock_rft_sim.contract.metrics`) for truncation and parse failures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bedrock_rft_sim.diagnosis.evidence import (
    Evidence,
    end_means,
    end_to_start,
    spikes,
    values_of,
)
from bedrock_rft_sim.diagnosis.finding import STEPS_MIN, Diagnostic, Finding, Severity
from bedrock_rft_sim.stats.shares import percent

EXPLOSION_FACTOR: Final = 2.0
"""Assumed: answers at the end this many times as long as at first, or as short."""
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

LENGTH: Final = Diagnostic(
    "answer length",
    "Read the longest answers: if length earns reward, add a length penalty or grade only what "
    "stands after the mark; if they loop, lower the learning rate; if they shrink and validation "
    "does not rise with it, the reward pays for leaving the work out.",
)
TRUNCATION: Final = Diagnostic(
    "truncation", "Raise inferenceMaxTokens, or ask for shorter answers in the prompt."
)
PARSING: Final = Diagnostic(
    "parse failures",
    "Let the prompt ask for the very format that the reward looks for, or read more formats; the "
    "page's filter shows such answers.",
)


def length_explosion(evidence: Evidence) -> Finding:
    """Answers grew, jumped, or end in a loop."""
    points = evidence.points("response_length_mean")
    values = values_of(points)
    if len(values) < STEPS_MIN:
        return LENGTH.too_short(len(values))
    first, last = ends = end_means(values)
    numbers = ends._asdict()
    found = _grown_or_shrunk(values)
    jumps = spikes(values, factor=SPIKE_FACTOR, window=SPIKE_WINDOW)
    if jumps:
        numbers["jump_step"] = step = points[jumps[0][0]][0]
        found.append(
            f"At step {step} they jumped to more than {SPIKE_FACTOR:g} times the length of the "
            "steps before."
        )
    loops = [share for _, share in sorted(evidence.looping.items())]
    ending = end_means(loops).last_fifth if loops else 0.0
    if ending >= LOOPING_SHARE:
        numbers["looping"] = ending
        found.append(f"{percent(ending)} of the last answers end by repeating themselves.")
    if not found:
        return LENGTH.clear(f"{first:.0f} tokens at first, {last:.0f} at the end.", numbers)
    return LENGTH.fires("warning", " ".join(found), numbers)


def _grown_or_shrunk(values: Sequence[float]) -> list[str]:
    """Say that lengths doubled or halved, late or all along from the first step."""
    first, last = end_means(values)
    factor = last / first if first > 0 else 1.0
    if min(values) > 0:  # the fifth at either end, or the whole course, whichever moved more
        factor = max(factor, end_to_start(values), key=lambda each: max(each, 1 / each))
    if 1 / EXPLOSION_FACTOR < factor < EXPLOSION_FACTOR:
        return []
    verb = "grew" if factor > 1 else "shrank"
    return [
        f"Answers {verb} to {factor:.2g} times their length "
        f"(from {first:.0f} to {last:.0f} tokens, first and last fifth)."
    ]


def truncated_answers(evidence: Evidence) -> Finding:
    """Answers cut at inferenceMaxTokens."""
    cut = evidence.values("local_truncated_share")
    if not cut:
        return TRUNCATION.unknown("How answers ended was not recorded.")
    first, last = ends = end_means(cut)
    limit = evidence.inference_max_tokens
    at = "inferenceMaxTokens" + (f" ({limit:,})" if limit else "")
    says = f"{percent(last)} of the last answers were cut at {at}, {percent(first)} of the first."
    if last < TRUNCATED_SHARE:
        return TRUNCATION.clear(says, ends._asdict())
    says += " A cut answer is graded as it stands, mostly as a failure."
    return TRUNCATION.fires(_gravity(last), says, ends._asdict())


def parse_failures(evidence: Evidence) -> Finding:
    """Answers in which the reward found nothing to grade."""
    failed = evidence.values("local_parse_failures")
    if not failed:
        why = "The reward does not say whether it found an answer (a Metric named answer_found)."
        return PARSING.unknown(why)
    first, last = ends = end_means(failed)
    shares = f"{percent(last)} of the last rollouts ({percent(first)} of the first)"
    says = f"The reward found no answer in {shares}."
    if last < PARSE_SHARE:
        return PARSING.clear(says, ends._asdict())
    return PARSING.fires(_gravity(last), says, ends._asdict())


def _gravity(share: float) -> Severity:
    return "problem" if share >= SUSPECT_SHARE else "warning"
