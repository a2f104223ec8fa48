"""What AWS's published thresholds say to a probe's numbers, each with its source.

AWS's 95 % is of samples solved, its 5 % and 0 % of samples that are positive, hence graded above 0.
"Stop" is said only where the whole interval lies beyond a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.limits import BASE_SUCCESS_MAX, BASE_SUCCESS_MIN, STUCK_REWARD
from bedrock_rft_sim.probe.intervals import Share
from bedrock_rft_sim.probe.lengths import P99_FACTOR
from bedrock_rft_sim.probe.report import Advice, Level, ProbeReport
from bedrock_rft_sim.recipe import Settings
from bedrock_rft_sim.runs.metrics.signal import SUSPECT_SHARE
from bedrock_rft_sim.stats.shares import percent

UNSURE = "too few prompts to tell on which side of AWS's threshold this lies; probe more"
THRESHOLDS = f"{sources.NOVA_RFT}; {sources.NOVA_MONITORING}; {sources.TEACHING}"
CUT_SHARE_HIGH = 0.05
DEAD_SHARE_HIGH = 0.3
MIXED_SHARE_LOW = 0.3
MORE_MIXED = 1.25
"""A group size is worth naming when it raises the share of mixed groups by this factor."""


def advise(report: ProbeReport, settings: Settings) -> Iterator[Advice]:
    """Yield the advice, the gravest first."""
    yield from _solved(report.success)
    yield from _positive(report.positive)
    yield from _first_reward(report)
    yield from _parsing(report)
    yield from _cutting(report)
    yield from _groups(report, settings)
    yield from _dead(report)


def _solved(solved: Share) -> Iterator[Advice]:
    told = f"{percent(solved.value)} of the samples were solved ({_interval(solved)})"
    over = f"over {percent(BASE_SUCCESS_MAX)} reinforcement fine-tuning is unnecessary"
    if solved.low > BASE_SUCCESS_MAX:
        yield Advice(
            "stop", f"{told}: {over}; take harder prompts or a stricter reward", THRESHOLDS
        )
    elif solved.high > BASE_SUCCESS_MAX:
        yield Advice(_leaning(solved.value > BASE_SUCCESS_MAX), f"{told}; {over}: {UNSURE}",
                     THRESHOLDS)  # fmt: skip


def _positive(positive: Share) -> Iterator[Advice]:
    told = f"{percent(positive.value)} of the samples were graded above 0 ({_interval(positive)})"
    under = f"under {percent(BASE_SUCCESS_MIN)} training struggles"
    if positive.value == 0 and positive.high < BASE_SUCCESS_MIN:
        words = f"{told}: nothing to reinforce; fine-tune on solved examples (SFT) first"
        yield Advice("stop", f"{words}, or see by `rft check` whether the reward reads answers at "
                     "all", THRESHOLDS)  # fmt: skip
    elif positive.high < BASE_SUCCESS_MIN:
        yield Advice("warn", f"{told}: {under}; take easier prompts, partial credit, or SFT first",
                     THRESHOLDS)  # fmt: skip
    elif positive.low < BASE_SUCCESS_MIN:
        yield Advice(_leaning(positive.value < BASE_SUCCESS_MIN), f"{told}; {under}: {UNSURE}",
                     THRESHOLDS)  # fmt: skip


def _leaning(beyond: bool) -> Level:
    """Return how grave it is that an interval holds a threshold, by where its middle lies."""
    return "warn" if beyond else "note"


def _first_reward(report: ProbeReport) -> Iterator[Advice]:
    reward = report.first_step.reward_mean
    if reward.value < STUCK_REWARD:
        words = (
            f"the reward starts at {reward.value:.3f}; if it stays under {STUCK_REWARD:g} in "
            "training, rethink the reward or the data"
        )
        yield Advice("warn", words, THRESHOLDS)


def _parsing(report: ProbeReport) -> Iterator[Advice]:
    failures = report.parse_failures
    if failures is not None and failures.value >= SUSPECT_SHARE:
        words = (
            f"the reward found no answer in {percent(failures.value)} of the samples; let the "
            "prompt ask for the very format that the reward looks for"
        )
        yield Advice("warn", words, sources.BEST_PRACTICES)


def _cutting(report: ProbeReport) -> Iterator[Advice]:
    lengths = report.lengths
    cut = report.cut
    if cut is not None and cut.value >= CUT_SHARE_HIGH:
        words = (
            f"inferenceMaxTokens {report.max_tokens} cuts {percent(cut.value)} of the "
            "answers; raise it, and probe again to learn how long they are"
        )
        yield Advice("warn", words, sources.SAMPLES)
    elif lengths is not None and lengths.cut.value == 0:
        p99 = lengths.percentiles[99].value
        words = (
            f"the 99th percentile of the answers is {p99:g} tokens; {P99_FACTOR} x that is "
            f"{P99_FACTOR * p99:g}, where the recipe has {lengths.limit}"
        )
        yield Advice("note", words, sources.SAMPLES)


def _groups(report: ProbeReport, settings: Settings) -> Iterator[Advice]:
    chosen = report.mixed_groups.get(settings.samples_per_prompt)
    largest = report.mixed_groups[max(report.mixed_groups)]
    if chosen is None or largest is None or chosen.value >= MIXED_SHARE_LOW:
        return
    words = (
        f"with trainingSamplePerPrompt {settings.samples_per_prompt} only {percent(chosen.value)} "
        f"of the groups would be mixed, so in the others every advantage is 0"
    )
    if largest.value > 0 and largest.value >= MORE_MIXED * chosen.value:
        words += (
            f"; with {max(report.mixed_groups)} it would be {percent(largest.value)} "
            f"({_interval(largest)})"
        )
    yield Advice("warn", words, sources.TEACHING)


def _dead(report: ProbeReport) -> Iterator[Advice]:
    dead = report.dead
    if dead is not None and dead.value >= DEAD_SHARE_HIGH:
        words = (
            f"{percent(dead.value)} of the prompts got one grade in all of their "
            f"{report.samples_per_prompt} samples{_ends(report)}; --filtered writes the data "
            "without them"
        )
        yield Advice("note", words, sources.TEACHING)


def _ends(report: ProbeReport) -> str:
    if report.always is None or report.never is None:
        return ""
    always, never = percent(report.always.value), percent(report.never.value)
    return f" ({always} were always solved and {never} never)"


def _interval(estimate: Share) -> str:
    return f"95 % interval {percent(estimate.low)} to {percent(estimate.high)}"
