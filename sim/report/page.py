"""One self-contained HTML page about a run: the verdict, the curves, what differs from Bedrock.

Everything from the run is untrusted text: the template escapes it, and the page forbids scripts
and every request.
"""

from __future__ import annotations

from typing import Any

from sim.contract import ledger
from sim.report.graphs import console_graphs
from sim.runfolder import RunFolder


def write_page(folder: RunFolder) -> None:
    """Write report.html from what the run folder holds."""
    folder.write_report(render(folder))


def render(folder: RunFolder) -> str:
    """Return the page as HTML."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sim.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    lines = folder.read_metrics()
    resolved = folder.read_resolved()
    # The SVG is drawn by us from numbers and our own titles, so it is the one part not escaped.
    graphs = markupsafe.Markup(_inline(console_graphs(lines)))  # noqa: S704
    return environment.get_template("page.html.jinja").render(
        name=folder.name,
        record=folder.read_record(),
        resolved=resolved,
        settings=resolved["settings"],
        graphs=graphs,
        first=_first(lines),
        last=_last(lines),
        ledger=ledger.rows_for(resolved["dialect"]),
    )


def _inline(svg: str) -> str:
    """Drop the XML declaration and doctype, which do not belong inside HTML."""
    return svg[svg.index("<svg") :]


def _first(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return lines[0] if lines else {}


def _last(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return lines[-1] if lines else {}
