"""The reward function as a service: errors, time.

Sources: AWS Lambda developer guide (timeout); AWS Machine Learning Blog on Lambda rewards (three
retries, cold starts).
"""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import Final

from bedrock_rft_sim.contract.sources import LAMBDA_REWARDS
from bedrock_rft_sim.diagnosis.evidence import Evidence
from bedrock_rft_sim.diagnosis.finding import Diagnostic, Finding
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.stats.shares import percent

NEAR_TIMEOUT: Final = 0.5
"""Assumed: an event that took this share of the timeout is too near to it."""
GRADING_SHARE: Final = 0.25
"""Assumed: grading that takes this share of a step's time is reported."""

ERRORS: Final = Diagnostic(
    "grader errors",
    "Read grader.log around them; the service gives up after three retries.",
    LAMBDA_REWARDS,
)
LATENCY: Final = Diagnostic(
    "grader latency",
    "Move work out of the handler to the module's top, send fewer samples per event, raise the "
    "timeout or the memory (CPU grows with it on Lambda).",
)


def grader_errors(evidence: Evidence) -> Finding:
    """Attempts that failed and were retried."""
    recorded = [line.get("local_grader_errors") for line in evidence.lines]
    recorded += [] if evidence.grader is None else [evidence.grader.get("errors")]
    measured = [errors for errors in recorded if isinstance(errors, dict)]
    if not measured:
        return ERRORS.unknown("No invocation of the reward was recorded.")
    counted = Counter[str]()
    for errors in measured:
        counted.update({str(name): int(count) for name, count in errors.items()})
    total = counted.total()
    if not total:
        return ERRORS.clear("No attempt of the reward failed.", {"failed": 0})
    named = ", ".join(f"{count} x {name}" for name, count in sorted(counted.items()))
    samples = int(sum(evidence.values("local_grader_failed_samples")))
    of = int(sum(evidence.values("local_rollouts")))
    what = f"{samples:,} of {of:,} samples" if samples else f"{total} attempts of the reward"
    says = f"{what} failed: {named}. Their calls were repeated."
    return ERRORS.fires("warning", says, {"failed": total})


def grader_latency(evidence: Evidence) -> Finding:
    """Events near the timeout, or grading that holds up the steps."""
    slowest, medians = _seconds(evidence, "max_s"), _seconds(evidence, "p50_s")
    if not slowest:
        return LATENCY.unknown("No invocation of the reward was timed.")
    medians = medians or slowest
    longest, typical = max(slowest), fmean(medians)
    share = _share_of_time(evidence)
    numbers = {"longest_s": longest, "p50_s": typical}
    says = f"An event took {_time(typical)} in the middle and {_time(longest)} at most"
    found = []
    if evidence.timeout_s and longest >= NEAR_TIMEOUT * evidence.timeout_s:
        near = percent(longest / evidence.timeout_s)
        found.append(f"{near} of the timeout of {evidence.timeout_s:g} s")
    if share is not None:
        numbers["share_of_step"] = share
        if share >= GRADING_SHARE:
            found.append(f"grading took {percent(share)} of the steps' time")
    if not found:
        return LATENCY.clear(f"{says}.", numbers)
    return LATENCY.fires("warning", f"{says}: {', '.join(found)}.", numbers)


def _seconds(evidence: Evidence, name: str) -> list[float]:
    """Return the grader's times by step, or those of its whole log."""
    whole = None if evidence.grader is None else evidence.grader.get(name)
    by_step = evidence.values(f"local_grader_latency_{name}")
    return by_step if whole is None else [*by_step, float(whole)]


def _share_of_time(evidence: Evidence) -> float | None:
    trained = [each for each in evidence.lines if is_number(each.get("critic_rewards_mean"))]
    phases = [line.get("local_seconds") for line in trained]
    timed = [p for p in phases if isinstance(p, dict) and is_number(p.get("total"))]
    total = sum(p["total"] for p in timed)
    return sum(p.get("grade", 0.0) for p in timed) / total if total else None


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
