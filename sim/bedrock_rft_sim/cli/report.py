"""`rft report`: one page about a run, on disk, on the terminal, or live."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import (
    LAST_PORT,
    add_flag,
    add_number,
    add_path,
    add_run,
    print_result,
    show_page,
)
from bedrock_rft_sim.cli.terminal import Line, Table, print_lines, say

if TYPE_CHECKING:
    from bedrock_rft_sim.report.page import RunSummary
    from bedrock_rft_sim.runs import RunFolder

HELP = "one page about a run: verdict, curves, answers, ledger"
DESCRIPTION = """Write the page of a run, whatever state the run is in. Exit code 1: there is no
such run, or its folder is damaged; what the verdict says does not change the exit code."""
RESULT = "the verdicts"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_run(verb)
    add_flag(verb, "--text", "print it on the terminal instead")
    add_path(verb, "--out", "where the page goes (default RUN/report.html)")
    export = "write every graph as a picture"
    verb.add_argument("--export", nargs=2, metavar=("png|svg|pdf", "DIR"), help=export)
    bands = "shade between which values AWS's own experiments moved (other models, other data)"
    add_flag(verb, "--bands", bands)
    add_flag(verb, "--open", "show the page in the browser")
    add_flag(verb, "--watch", "serve the page on this machine and follow the run")
    port = "port of --watch (default: any that is free)"
    add_number(verb, "--port", port, 0, LAST_PORT, metavar="PORT", default=0)


def run(arguments: argparse.Namespace) -> int:
    """Report on the run in the chosen form."""
    from bedrock_rft_sim.report.graphs import FORMS
    from bedrock_rft_sim.report.page import Page
    from bedrock_rft_sim.runs import find_run

    if arguments.export and arguments.export[0] not in FORMS:
        forms, found = ", ".join(FORMS), repr(arguments.export[0])
        arguments.parser.error(f"--export: expected one of {forms}, found {found}")
    folder = find_run(arguments.run)
    page = Page(folder, bands=arguments.bands)
    if arguments.watch:
        arguments.progress.quiet = True
        return _watch(folder, arguments)
    summary = page.summary()
    written: list[Path] = []
    if arguments.export:
        from bedrock_rft_sim.report.graphs import export_graphs

        form, where = arguments.export
        written += export_graphs(summary.run, form, Path(where), bands=arguments.bands)
    if arguments.open or (not arguments.text and (arguments.out or not arguments.export)):
        written.append(page.save(arguments.out or folder.report))
    files = [str(path) for path in written]
    lines = _text(summary) if arguments.text else [summary.headline]
    print_result(arguments, {**summary.as_json(), "files": files}, [*lines, *files])
    if arguments.open:
        show_page(written[-1])
    return 0


def _text(summary: RunSummary) -> Iterator[Line]:
    from bedrock_rft_sim.report.text import graph_rows, head_lines, verdict_lines

    yield from head_lines(summary.run, summary.headline, summary.remarks)
    yield Table(graph_rows(summary.run))
    yield from verdict_lines(summary.run, summary.verdicts)


def _watch(folder: RunFolder, arguments: argparse.Namespace) -> int:
    from bedrock_rft_sim.report.watch import Watch
    from bedrock_rft_sim.runs import Run

    found = Run.read(folder)
    if not found.going_on:
        ended = f"this run has ended ({found.status}); `rft report {folder.path}` writes its page"
        print_lines([ended])
        return 0
    watch = Watch(folder, port=arguments.port, bands=arguments.bands)
    print_lines([f"{watch.url} follows {folder.name}; Ctrl-C ends it, not the run"])
    sys.stdout.flush()
    if arguments.open:
        show_page(watch.url)
    try:
        status = watch.follow()
    except KeyboardInterrupt:
        say("no longer followed; the run continues")
        return 0
    print_lines([f"the run has ended ({status}); its page is {folder.report}"])
    return 0
