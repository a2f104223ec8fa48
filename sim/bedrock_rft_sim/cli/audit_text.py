"""An audit report as text, short in `rft check` and whole in `rft audit`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from bedrock_rft_sim.stats.shares import percent

if TYPE_CHECKING:
    from bedrock_rft_sim.grader.audit import AuditReport, CheckResult, Cost, Finding
    from bedrock_rft_sim.grader.gold import ProfileResult

GRAVEST = ("FAIL", "warn", "not judged", "waived", "note", "ok")
INDENT = " " * 9


def print_report(report: AuditReport, *, reward: str, evidence: bool) -> None:
    """Print everything: a line per check, then the findings."""
    print(f"reward   {reward}, payload profile {report.profile}, top score {report.top_score:g}")
    for line in profile_lines(report):
        print(line)
    print(f"asked    {_asked(report)}")
    print(f"  planned: {report.plan}")
    for check in report.checks:
        told = f" ({check.reason})" if check.reason else ""
        count = "" if check.asked is None else f"  [{check.asked:,} answers]"
        print(_plain(f"  {check.status:10} {check.name:15} {check.law}{count}{told}"))
    for line in _numbers(report):
        print(line)
    print_findings(report, evidence=evidence)
    print(_verdict(report))


def print_short(report: AuditReport, *, evidence: bool) -> None:
    """Print a line per group of checks, then the findings."""
    print(f"audit    {_asked(report)}; top score {report.top_score:g}")
    print(f"  planned: {report.plan}")
    for group, found in groupby(report.checks, key=lambda check: check.group):
        print(_group_line(group, list(found)))
    for line in _numbers(report):
        print(line)
    print_findings(report, evidence=evidence)


def print_findings(report: AuditReport, *, evidence: bool) -> None:
    """Print the findings, the gravest first, and what stands waived."""
    ranks = ("error", "warning", "note")
    for finding in sorted(report.findings, key=lambda each: ranks.index(each.severity)):
        for line in _finding_lines(finding, evidence=evidence):
            print(line)
    hidden = sum(finding.evidence is not None for finding in report.findings)
    if hidden and not evidence:
        print(f"  --evidence prints the smallest event behind a finding ({hidden} of them)")
    for name in report.unneeded_waivers:
        print(f"  the waiver of {name} was not needed")


def profile_lines(report: AuditReport) -> Iterator[str]:
    """The table of payload profiles."""
    from bedrock_rft_sim.grader.audit.references import variant_name

    for index, result in enumerate(report.profiles):
        name = f"{variant_name(result):25}"
        yield from result_lines(result, name, "  (in use)" if index == 0 else "")


def result_lines(result: ProfileResult, name: str, used: str) -> Iterator[str]:
    """How one payload profile did, and what failed."""
    mark = "ok  " if result.ok else "FAIL"
    skipped = f", {result.skipped} not phrased" if result.skipped else ""
    yield f"  {mark} {name} {result.passed} of {result.graded}{skipped}{used}"
    for failure in result.failures:
        head = failure.detail.partition("\n")[0]
        yield _plain(f"       {failure.count} x {failure.kind}, first {failure.first_id}: {head}")


def _asked(report: AuditReport) -> str:
    return (
        f"{report.answers:,} answers in {report.invocations:,} invocations, {report.seconds:.1f} s"
    )


def _group_line(group: str, checks: list[CheckResult]) -> str:
    gravest = min(checks, key=lambda check: GRAVEST.index(check.status)).status
    shown = [
        f"{check.name} {check.status}"
        for check in checks
        if check.status not in ("ok", "not judged")
    ]
    fine = sum(check.status == "ok" for check in checks)
    silent = [check.reason for check in checks if check.status == "not judged"]
    told = [*shown, *([f"{fine} ok"] if fine else [])]
    told += [f"{len(silent)} not judged ({silent[0]})"] if silent else []
    return f"  {gravest:10} {group}: {', '.join(told)}"


def _numbers(report: AuditReport) -> Iterator[str]:
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
    yield (
        f"cost     {cost.events} events of up to {cost.samples_per_event}: p50 {_ms(cost.p50_s)}, "
        f"p95 {_ms(cost.p95_s)}, slowest {_ms(cost.max_s)}; one sample at most "
        f"{_ms(cost.slowest_alone_s)}; cold start {_ms(cost.cold_start_s)}; timeout "
        f"{cost.timeout_s:g} s"
    )
    megabytes = cost.largest_event_bytes / 2**20
    share = f"{cost.memory_mb} MB is {cost.processors:.2f} of a processor on Lambda"
    yield f"  largest event at most {megabytes:.2f} MB of 6; {share}"
    if cost.lambda_s is not None and cost.gb_s is not None:
        yield (
            f"  the run: {cost.answers:,} answers in {cost.invocations:,} invocations = "
            f"{cost.lambda_s:.1f} Lambda seconds, {cost.gb_s:.2f} GB-seconds at this machine's "
            f"speed; up to {cost.concurrency} events at once"
        )


def _ms(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds * 1000:.1f} ms"


def _finding_lines(finding: Finding, *, evidence: bool) -> Iterator[str]:
    label = "waived" if finding.waived is not None else finding.severity
    first, *more = finding.what.splitlines()
    yield _plain(f"  {label:7} {finding.check}: {first}")
    for line in more:
        yield _plain(f"{INDENT}{line}")
    if finding.waived is not None:
        yield _plain(f"{INDENT}waived because: {finding.waived}")
    elif finding.severity != "note":
        yield f"{INDENT}remedy: {finding.remedy}"
    if evidence and finding.evidence_json is not None:
        yield f"{INDENT}event:"
        yield finding.evidence_json


def _verdict(report: AuditReport) -> str:
    errors, warnings = (
        sum(each.severity == severity and each.waived is None for each in report.findings)
        for severity in ("error", "warning")
    )
    waived = sum(each.waived is not None for each in report.findings)
    word = "passes" if report.ok else "does not pass"
    return f"verdict  {word}: {errors} errors, {warnings} warnings, {waived} waived"


def _plain(text: str) -> str:
    """Return the text without what a terminal would act upon: parts of it came from the handler."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
