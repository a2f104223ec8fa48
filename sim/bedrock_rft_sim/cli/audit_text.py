"""An audit report as text, short in `rft check` and whole in `rft audit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from bedrock_rft_sim.stats.shares import counted, percent

if TYPE_CHECKING:
    from bedrock_rft_sim.grader.audit import AuditReport
    from bedrock_rft_sim.grader.audit.checks import AuditFinding
    from bedrock_rft_sim.grader.audit.cost import Cost
    from bedrock_rft_sim.grader.audit.report import CheckResult
    from bedrock_rft_sim.grader.good_replies import ProfileResult

GRAVEST = ("FAIL", "warn", "can't tell", "waived", "note", "ok")
GRAVITY = ("error", "warning", "note")
INDENT = " " * 9


def report_lines(report: AuditReport, *, reward: str, evidence: bool) -> Iterator[str]:
    """Yield everything: a line per check, then the findings."""
    yield f"reward   {reward}, payload profile {report.profile}, top score {report.top_score:g}"
    for index, result in enumerate(report.profiles):
        name = f"{result.variant:25}"
        yield from result_lines(result, name, "  (in use)" if index == 0 else "")
    yield f"graded   {_graded(report)}"
    yield f"  planned: {report.plan}"
    for check in report.checks:
        reason = f" ({check.reason})" if check.reason else ""
        count = "" if check.asked is None else f"  [{check.asked:,} answers]"
        yield plain(f"  {check.status:10} {check.name:15} {check.law}{count}{reason}")
    yield from _numbers(report)
    yield from _findings(report, evidence=evidence)
    yield _verdict(report)


def short_lines(report: AuditReport, *, evidence: bool) -> Iterator[str]:
    """Yield a line per group of checks, then the findings."""
    yield f"audit    {_graded(report)}; top score {report.top_score:g}"
    yield f"  planned: {report.plan}"
    for group, found in groupby(report.checks, key=lambda check: check.group):
        yield _group_line(group, list(found))
    yield from _numbers(report)
    yield from _findings(report, evidence=evidence)


def _findings(report: AuditReport, *, evidence: bool) -> Iterator[str]:
    """Yield the findings, the gravest first, and what stands waived."""
    for finding in sorted(report.findings, key=lambda each: GRAVITY.index(each.severity)):
        yield from _finding_lines(finding, evidence=evidence)
    hidden = sum(finding.evidence is not None for finding in report.findings)
    if hidden and not evidence:
        yield f"  --evidence prints the smallest event behind a finding ({hidden} of them)"
    for name in report.unneeded_waivers:
        yield f"  the waiver of {name} was not needed"


def result_lines(result: ProfileResult, name: str, used: str) -> Iterator[str]:
    """How one payload profile did, and what failed."""
    mark = "ok  " if result.ok else "FAIL"
    skipped = f", {result.skipped} not phrased" if result.skipped else ""
    yield f"  {mark} {name} {result.passed} of {result.graded}{skipped}{used}"
    for failure in result.failures:
        head = failure.detail.partition("\n")[0]
        yield plain(f"       {failure.count} x {failure.kind}, first {failure.first_id}: {head}")


def _graded(report: AuditReport) -> str:
    return (
        f"{report.answers:,} answers in {report.invocations:,} invocations, {report.seconds:.1f} s"
    )


def _group_line(group: str, checks: list[CheckResult]) -> str:
    gravest = min(checks, key=lambda check: GRAVEST.index(check.status)).status
    if [check.name for check in checks] == [group]:
        return f"  {gravest:10} {group}: {checks[0].reason or checks[0].law}"
    shown = [
        f"{check.name} {check.status}"
        for check in checks
        if check.status not in ("ok", "can't tell")
    ]
    fine = sum(check.status == "ok" for check in checks)
    silent = [check.reason for check in checks if check.status == "can't tell"]
    shown += [f"{fine} ok"] if fine else []
    shown += [f"{len(silent)} can't tell ({silent[0]})"] if silent else []
    return f"  {gravest:10} {group}: {', '.join(shown)}"


def _numbers(report: AuditReport) -> Iterator[str]:
    floor = report.floor
    if floor is not None:
        yield plain(
            f"floor    {floor.score:.3f} of {report.top_score:g}, earned without the reference by "
            f"{floor.strategy}, the best of {floor.strategies} strategies on {floor.rows} rows"
        )
    for spread in report.spreads:
        if spread.at_top is not None:
            yield (
                f"spread   {spread.count:,} {spread.source}: {spread.lowest:g} to "
                f"{spread.highest:g}, mean {spread.mean:.3g}, {spread.distinct} different scores, "
                f"{percent(spread.at_top)} at the top"
            )
    if report.cost is not None:
        yield from _cost_lines(report.cost)


def _cost_lines(cost: Cost) -> Iterator[str]:
    events = counted(cost.events, "event")
    yield (
        f"cost     {events} of up to {cost.samples_per_event}: p50 {_ms(cost.p50_s)}, "
        f"p95 {_ms(cost.p95_s)}, slowest {_ms(cost.max_s)}; one sample at most "
        f"{_ms(cost.slowest_alone_s)}; cold start {_ms(cost.cold_start_s)}; timeout "
        f"{cost.timeout_s:g} s"
    )
    megabytes = cost.largest_event_bytes / 2**20
    share = f"{cost.memory_mb} MB is {cost.processors:.2f} of a processor on Lambda"
    yield f"  largest event at most {megabytes:.2f} MB of 6; {share}"
    if cost.lambda_s is not None and cost.gb_s is not None and cost.concurrency is not None:
        yield (
            f"  the run: {cost.answers:,} answers in {cost.invocations:,} invocations = "
            f"{cost.lambda_s:.1f} Lambda seconds, {cost.gb_s:.2f} GB-seconds at this machine's "
            f"speed; up to {counted(cost.concurrency, 'event')} at once"
        )


def _ms(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds * 1000:.1f} ms"


def _finding_lines(finding: AuditFinding, *, evidence: bool) -> Iterator[str]:
    label = "waived" if finding.waived is not None else finding.severity
    first, *more = finding.what.splitlines()
    yield plain(f"  {label:7} {finding.check}: {first}")
    for line in more:
        yield plain(f"{INDENT}{line}")
    if finding.waived is not None:
        yield plain(f"{INDENT}waived because: {finding.waived}")
    elif finding.severity != "note":
        yield f"{INDENT}remedy: {finding.remedy}"
    if evidence and finding.evidence_json is not None:
        yield f"{INDENT}event:"
        yield finding.evidence_json


def _verdict(report: AuditReport) -> str:
    counts = Counter(each.severity if each.waived is None else "waived" for each in report.findings)
    word = "passes" if report.ok else "does not pass"
    return (
        f"verdict  {word}: {counts['error']} errors, {counts['warning']} warnings, "
        f"{counts['waived']} waived"
    )


def plain(text: str) -> str:
    """Return the line without what a terminal would act upon: parts of it came from a handler."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
