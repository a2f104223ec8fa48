"""`rft report`: one page about a run, on disk, on the terminal, or live."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import add_reporting, whole_number

if TYPE_CHECKING:
    from bedrock_rft_sim.report.page import Page
    from bedrock_rft_sim.runs import RunFolder

STYLES = {"problem": "red", "warning": "yellow", "note": "blue"}
LAST_PORT = 65_535


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "report",
        help="one page about a run: verdict, curves, answers, ledger",
        description="Write the page of a run, whatever state the run is in. "
        "Exit code 1: there is no such run, or its folder is damaged; what the verdict says does "
        "not change the exit code.",
    )
    verb.add_argument(
        "run", metavar="RUN", help="a run folder, the name of one under runs/, or latest"
    )
    verb.add_argument("--text", action="store_true", help="print it on the terminal instead")
    verb.add_argument(
        "--out", type=Path, metavar="FILE", help="where the page goes (default RUN/report.html)"
    )
    verb.add_argument(
        "--export", nargs=2, metavar=("png|svg", "DIR"), help="write every graph as a picture"
    )
    verb.add_argument(
        "--watch", action="store_true", help="serve the page on this machine and follow the run"
    )
    verb.add_argument(
        "--port",
        type=whole_number(0, LAST_PORT),
        default=0,
        help="port of --watch (default: any that is free)",
    )
    add_reporting(verb, result="the verdicts")
    verb.set_defaults(command=run, verb=verb)


def run(arguments: argparse.Namespace) -> int:
    """Report on the run in the chosen form."""
    from bedrock_rft_sim.report.graphs import FORMS
    from bedrock_rft_sim.report.page import Page
    from bedrock_rft_sim.runs import find_run

    if arguments.export and arguments.export[0] not in FORMS:
        arguments.verb.error(f"--export: expected png or svg, found {arguments.export[0]!r}")
    folder = find_run(arguments.run)
    page = Page(folder)
    if arguments.watch:
        return _watch(folder, arguments.port)
    summary = page.summary()
    written: list[Path] = []
    if arguments.export:
        from bedrock_rft_sim.report.graphs import export_graphs

        written += export_graphs(summary.run, arguments.export[0], Path(arguments.export[1]))
    if arguments.text:
        _print_text(page)
    elif arguments.out or not arguments.export:
        written.append(page.save(arguments.out or folder.report))
    if arguments.json:
        print(json.dumps({**summary.as_json(), "files": [str(path) for path in written]}))
    elif not arguments.text:
        print(summary.headline)
    if not arguments.json:
        for path in written:
            print(path)
    return 0


def _print_text(page: Page) -> None:
    from rich.console import Console
    from rich.text import Text

    from bedrock_rft_sim.report.text import text_lines

    console = Console(highlight=False, soft_wrap=True)
    summary = page.summary()
    for style, line in text_lines(summary.run, summary.headline, summary.verdicts, summary.remarks):
        console.print(Text(line, style=STYLES.get(style, "")))


def _watch(folder: RunFolder, port: int) -> int:
    from bedrock_rft_sim.report.watch import Watch
    from bedrock_rft_sim.runs import Run

    found = Run.read(folder)
    if not found.going_on:
        print(f"this run has ended ({found.status}); `rft report {folder.path}` writes its "
              "page")  # fmt: skip
        return 0
    watch = Watch(folder, port=port)
    print(f"{watch.url} follows {folder.name}; Ctrl-C ends it, not the run", flush=True)
    try:
        status = watch.follow()
    except KeyboardInterrupt:
        print("no longer followed; the run continues", file=sys.stderr)
        return 0
    print(f"the run has ended ({status}); its page is {folder.report}")
    return 0
