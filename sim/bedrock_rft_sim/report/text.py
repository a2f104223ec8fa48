"""The report for a terminal: its head, rows of blocks, verdicts; without control characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedrock_rft_sim.diagnosis import Finding
from bedrock_rft_sim.diagnosis.finding import fired
from bedrock_rft_sim.report.series import Graph, GraphLine, console_series, local_series
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs import Run
from bedrock_rft_sim.runs.metrics.spark import SPARK_WIDTH, condensed, sparkline

ALSO_SHOWN = (
    "Groups by grades", "Answers", "Second opinions", "Validation, second opinions",
)  # fmt: skip

OF_REWARDS = "econd opinions"
"""Ends the titles of graphs whose lines are named even where there is one."""


def head_lines(run: Run, headline: str, remarks: Sequence[str]) -> Iterator[str]:
    """Yield what run it is, how it went and what is wrong with its folder."""
    yield visible(run.words)
    yield headline
    for line in str(run.record.get("error") or "").splitlines():
        yield f"  {visible(line)}"
    for remark in remarks:
        yield f"note on this folder: {visible(remark)}"
    yield ""


def graph_rows(run: Run) -> list[tuple[str, str, str]]:
    """Return a name, a row of blocks and the ends for each line of the graphs that are shown."""
    local = [graph for graph in local_series(run.lines) if graph.title in ALSO_SHOWN]
    return [
        (
            _name(graph, line),
            f"{sparkline(condensed(line.values)):{SPARK_WIDTH}}",
            f"{line.values[0]:.4g} → {line.values[-1]:.4g} {graph.unit}".rstrip(),
        )
        for graph in [*console_series(run.lines), *local]
        for line in graph.series
    ]


def verdict_lines(run: Run, verdicts: Sequence[Finding]) -> Iterator[str]:
    """Yield the floor of the reward and every finding that has something to say."""
    yield from _floor(run)
    for finding in fired(verdicts):
        yield ""
        yield f"{finding.severity}: {finding.rule}"
        yield f"  {visible(finding.says)}"
        yield f"  next: {finding.remedy}"


def _floor(run: Run) -> Iterator[str]:
    found = run.record.get("floor") or {}
    if found.get("score") is not None:
        best = f"the best of {found.get('strategies')} strategies on {found.get('rows')} rows"
        yield f"floor of the reward  {found['score']:.3f}, earned without solving: {best}"
        yield f"                     {visible(found.get('strategy'))}"
    elif found.get("left_out"):
        yield f"floor of the reward  not measured: {visible(found['left_out'])}"


def _name(graph: Graph, line: GraphLine) -> str:
    is_alone = len(graph.series) == 1 and not graph.title.endswith(OF_REWARDS)
    return graph.title if is_alone else f"{graph.title}, {visible(line.name)}"
