"""The report for a terminal: headline, rows of blocks, verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sim.report.reading import Run
from sim.report.series import Graph, console_series, local_series
from sim.report.spark import condensed, sparkline
from sim.report.visible import visible
from sim.verdicts import Verdict

TITLE_WIDTH = 28


def text_lines(
    run: Run, headline: str, verdicts: Sequence[Verdict], remarks: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield (style, line), without control characters; a style is a rule's severity or empty."""
    total = (run.record.get("steps") or {}).get("total")
    of = f" of {total}" if total else ""
    yield "", f"{visible(run.folder.name)}: {visible(run.status)}, step {run.last_step}{of}"
    yield "", headline
    for line in str(run.record.get("error") or "").splitlines():
        yield "problem", f"  {visible(line)}"
    for remark in remarks:
        yield "warning", f"note on this folder: {visible(remark)}"
    yield "", ""
    for graph in (*console_series(run.lines), *local_series(run.lines)):
        yield from (("", line) for line in _graph(graph))
    for verdict in verdicts:
        if verdict.speaks:
            yield "", ""
            yield verdict.severity, f"{verdict.severity}: {verdict.rule}"
            yield "", f"  {visible(verdict.says)}"
            yield "", f"  next: {verdict.remedy}"


def _graph(graph: Graph) -> Iterator[str]:
    for series in graph.series:
        name = graph.title if len(graph.series) == 1 else f"{graph.title}: {series.name}"
        row = sparkline(condensed(series.values))
        ends = f"{_number(series.values[0])} → {_number(series.values[-1])} {graph.unit}"
        yield f"{visible(name):{TITLE_WIDTH}}  {row:24}  {ends}".rstrip()
    if not graph.series:
        yield f"{graph.title:{TITLE_WIDTH}}  no values"


def _number(value: float) -> str:
    return f"{value:.4g}"
