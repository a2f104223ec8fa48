"""What AWS's published thresholds say to a probe's numbers, each with its source.

AWS's 95 % is of samples solved, its 5 % and 0 % of samples that are positive, hence graded above 0.
"Stop" (a problem) is said only where the whole interval lies beyond a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.limits import BASE_SUCCESS_MAX, BASE_SUCCESS_MIN, STUCK_REWARD
from bedrock_rft_sim.diagnosis.answers import SUSPECT_SHARE, TRUNCATED_SHARE
from bedrock_rft_sim.diagnosis.finding import Diagnostic, Finding, Severity
from bedrock_rft_sim.probe.intervals import Share
from bedrock_rft_sim.probe.lengths import P99_FACTOR
from bedrock_rft_sim.probe.report import ProbeReport
from bedrock_rft_sim.recipe import Settings
from bedrock_rft_sim.stats.shares import percent

LEVELS: Final = {"problem": "stop", "warning": "warn", "note": "note"}
"""The words of `rft probe` for a finding's severity."""
DEAD_SHARE_HIGH: Final = 0.3
MIXED_SHARE_LOW: Final = 0.3
MORE_MIXED: Final = 1.25
"""A group size is worth naming when it raises the share of mixed groups by this factor."""

LEAST_MIXED: Final = 0.05
"""With fewer groups mixed, steps would teach next to nothing (ours)."""
Learnable = Literal["learnable", "not learnable", "can't tell"]
LEARNABLE: Final = "learnable"
NOT_LEARNABLE: Final = "not learnable"
CANT_TELL: Final = "can't tell"

UNSURE: Final = "too few prompts to tell on which side of AWS's threshold this lies; probe more"
THRESHOLDS: Final = f"{sources.NOVA_RFT}; {sources.NOVA_MONITORING}; {sources.TEACHING}"
SATURATED: Final = Diagnostic("saturation", "take harder prompts or a stricter reward", THRESHOLDS)
HOPELESS: Final = Diagnostic(
    "base success", "take easier prompts, partial credit, or SFT first", THRESHOLDS
)
TEACH_FIRST: Final = (
    "fine-tune on solved examples (SFT) first, or see by `rft check` whether the reward reads "
    "answers at all"
)
STUCK: Final = Diagnostic(
    "first reward",
    f"if it stays under {STUCK_REWARD:g} in training, rethink the reward or the data",
    THRESHOLDS,
)
PARSING: Final = Diagnostic(
    "parse failures",
    "let the prompt ask for the very format that the reward looks for",
    source=sources.BEST_PRACTICES,
)
TRUNCATION: Final = Diagnostic(
    "truncation", "raise it, and probe again to learn how long they are", sources.SAMPLES
)
LENGTH: Final = Diagnostic("answer length", source=sources.SAMPLES)
MIXED: Final = Diagnostic("mixed groups", source=sources.TEACHING)
DEAD: Final = Diagnostic(
    "dead prompts", "--filtered writes the data without them", sources.TEACHING
)


def diagnose_probe(report: ProbeReport, settings: Settings) -> list[Finding]:
    """Return what AWS's thresholds say to the probe, the gravest first; only what fired."""
    return [
        *_solved(report.success),
        *_positive(report.positive),
        *_shares(report),
        *_groups(report, settings),
        *_dead(report),
    ]


def learnable(report: ProbeReport, settings: Settings) -> tuple[Learnable, str]:
    """Return whether the model can learn the task as the recipe has it, and why.

    Learnable and not learnable are said only where the whole interval lies on one side.
    """
    mixed = report.mixed_groups.get(settings.samples_per_prompt)
    solved, positive = report.success, report.positive
    if not report.ok:
        return CANT_TELL, f"{report.missing} samples have no grade"
    if solved.low > BASE_SUCCESS_MAX:
        return NOT_LEARNABLE, f"over {percent(BASE_SUCCESS_MAX)} of the samples are solved already"
    if positive.value == 0 and positive.high < BASE_SUCCESS_MIN:
        return NOT_LEARNABLE, "no sample was graded above 0, so there is nothing to reinforce"
    if mixed is not None and mixed.high < LEAST_MIXED:
        return NOT_LEARNABLE, f"{_mixed(mixed)}, so almost every advantage is 0"
    open_ = [
        *_open("graded above 0", positive, positive.low < BASE_SUCCESS_MIN, BASE_SUCCESS_MIN),
        *_open("solved", solved, solved.high > BASE_SUCCESS_MAX, BASE_SUCCESS_MAX),
        *([_mixed(mixed)] if mixed is not None and mixed.low < LEAST_MIXED else []),
        *(["too few samples to know the mixed groups"] if mixed is None else []),
    ]
    if open_ or mixed is None:
        return CANT_TELL, f"{'; '.join(open_)}: probe more prompts"
    says = f"{percent(positive.value)} of the samples are graded above 0, {percent(solved.value)}"
    return LEARNABLE, f"{says} solved, and {_mixed(mixed)}"


def _open(what: str, share: Share, is_open: bool, limit: float) -> Iterator[str]:
    if is_open:
        yield f"{percent(share.low)} to {percent(share.high)} {what} (AWS's limit {percent(limit)})"


def _mixed(mixed: Share) -> str:
    return f"{percent(mixed.low)} to {percent(mixed.high)} of the groups have differing grades"


def advice_as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as a probe's result words it."""
    return {
        "level": LEVELS[finding.severity],
        "words": f"{finding.says}; {finding.remedy}" if finding.remedy else finding.says,
        "source": finding.source,
    }


def _solved(solved: Share) -> Iterator[Finding]:
    says = (
        f"{percent(solved.value)} of the samples were solved ({_interval(solved)}): over "
        f"{percent(BASE_SUCCESS_MAX)} reinforcement fine-tuning is unnecessary"
    )
    if solved.low > BASE_SUCCESS_MAX:
        yield SATURATED.fires("problem", says, _numbers(solved))
    elif solved.high > BASE_SUCCESS_MAX:  # it leans to the side on which its middle lies
        severity: Severity = "warning" if solved.value > BASE_SUCCESS_MAX else "note"
        yield SATURATED.fires(severity, says, _numbers(solved), UNSURE)


def _positive(positive: Share) -> Iterator[Finding]:
    says = f"{percent(positive.value)} of the samples were graded above 0 ({_interval(positive)})"
    under = f"{says}: under {percent(BASE_SUCCESS_MIN)} training struggles"
    if positive.value == 0 and positive.high < BASE_SUCCESS_MIN:
        says += ": nothing to reinforce"
        yield HOPELESS.fires("problem", says, _numbers(positive), TEACH_FIRST)
    elif positive.high < BASE_SUCCESS_MIN:
        yield HOPELESS.fires("warning", under, _numbers(positive))
    elif positive.low < BASE_SUCCESS_MIN:
        severity: Severity = "warning" if positive.value < BASE_SUCCESS_MIN else "note"
        yield HOPELESS.fires(severity, under, _numbers(positive), UNSURE)


def _shares(report: ProbeReport) -> Iterator[Finding]:
    reward, failures = report.first_step.reward_mean.value, report.parse_failures
    if reward < STUCK_REWARD:
        yield STUCK.fires("warning", f"the reward starts at {reward:.3f}", {"reward": reward})
    if failures is not None and failures.value >= SUSPECT_SHARE:
        says = f"the reward found no answer in {percent(failures.value)} of the samples"
        yield PARSING.fires("warning", says, _numbers(failures))
    lengths, cut = report.lengths, report.cut
    if cut is not None and cut.value >= TRUNCATED_SHARE:
        limit = f"inferenceMaxTokens {report.max_tokens}"
        says = f"{limit} cuts {percent(cut.value)} of the answers"
        yield TRUNCATION.fires("warning", says, _numbers(cut))
    elif lengths is not None and lengths.cut.value == 0:
        p99 = lengths.percentiles[99].value
        says = (
            f"the 99th percentile of the answers is {p99:g} tokens; {P99_FACTOR} x that is "
            f"{P99_FACTOR * p99:g}, where the recipe has {lengths.limit}"
        )
        yield LENGTH.fires("note", says, {"p99": p99})


def _groups(report: ProbeReport, settings: Settings) -> Iterator[Finding]:
    chosen = report.mixed_groups.get(settings.samples_per_prompt)
    size, largest = max(report.mixed_groups.items())
    if chosen is None or largest is None or chosen.value >= MIXED_SHARE_LOW:
        return
    says = (
        f"with trainingSamplePerPrompt {settings.samples_per_prompt} only {percent(chosen.value)} "
        f"of the groups would be mixed, so in the others every advantage is 0"
    )
    if largest.value > 0 and largest.value >= MORE_MIXED * chosen.value:
        says += f"; with {size} it would be {percent(largest.value)} ({_interval(largest)})"
    yield MIXED.fires("warning", says, _numbers(chosen))


def _dead(report: ProbeReport) -> Iterator[Finding]:
    dead = report.dead
    if dead is None or dead.value < DEAD_SHARE_HIGH:
        return
    says = (
        f"{percent(dead.value)} of the prompts got one grade in all of their "
        f"{report.samples_per_prompt} samples"
    )
    if report.always is not None and report.never is not None:
        always, never = percent(report.always.value), percent(report.never.value)
        says += f" ({always} were always solved and {never} never)"
    yield DEAD.fires("note", says, _numbers(dead))


def _numbers(share: Share) -> dict[str, float]:
    return {"share": share.value, "low": share.low, "high": share.high}


def _interval(share: Share) -> str:
    return f"95 % interval {percent(share.low)} to {percent(share.high)}"
