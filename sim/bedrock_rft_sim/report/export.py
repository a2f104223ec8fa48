"""Every graph of a run as a picture file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bedrock_rft_sim import files
from bedrock_rft_sim.report.graphs import picture
from bedrock_rft_sim.report.series import console_series, local_series
from bedrock_rft_sim.runs import Run

FORMS = ("png", "svg")


def export_graphs(run: Run, form: str, folder: Path) -> list[Path]:
    """Write the graphs that have values into `folder`, made if need be; return the files.

    Raises:
        RunFolderError: the disk refuses.
    """
    with files.named_errors(folder, "export the graphs"):
        folder.mkdir(parents=True, exist_ok=True)
        return list(_written(run, form, folder))


def _written(run: Run, form: str, folder: Path) -> Iterator[Path]:
    for graph in (*console_series(run.lines), *local_series(run.lines)):
        if graph.series:
            path = folder / f"{re.sub('[^a-z0-9]+', '-', graph.title.lower()).strip('-')}.{form}"
            files.replace_file(path, picture(graph, form), durable=False)
            yield path
