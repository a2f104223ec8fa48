"""One self-contained HTML page about a run: the verdict, the curves, the answers, the ledger.

Everything from the run is untrusted text: the template escapes it, the script inserts it as text,
and the page's policy runs the two scripts that came with it and makes no network requests.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.contract import ledger
from bedrock_rft_sim.diagnosis import Evidence, Finding, diagnose_run, headline
from bedrock_rft_sim.report import html
from bedrock_rft_sim.report.answers import VALIDATION, Answers
from bedrock_rft_sim.report.batches import PackedStep
from bedrock_rft_sim.report.differences import differences
from bedrock_rft_sim.report.graphs import BAND_WORDS, FLOOR_WORDS, console_graphs
from bedrock_rft_sim.report.series import Graph, console_series, local_series
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs import Run, RunFolder

LIVE_EVERY_MS: Final = 2000
PAUSE_S: Final = 30.0
"""Between two pages of a run that is being written at least this long ..."""
PAUSE_FACTOR: Final = 50
"""... and at least this many times as long as writing one took: 2 % of the run."""
PROVENANCE: Final = ("git_revision", "recipe_hash", "reward_hash", "data_hash", "micro_batch",
                     "resumed_from_step", "job_arn", "model_arn", "ended")  # fmt: skip
RECORD_FIELDS: Final = (*PROVENANCE, "error", "started", "versions", "device")
"""What a run that ended early may lack."""


@dataclass(frozen=True)
class RunSummary:
    """A run and what the checks found in it."""

    run: Run
    headline: str
    verdicts: list[Finding]
    remarks: list[str]
    """What was found wrong in the folder and mended or left out."""
    batches: list[PackedStep]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data, without the answers."""
        lines = self.run.lines
        return {
            "run": self.run.folder.name,
            "folder": str(self.run.folder.path),
            "status": self.run.status,
            "step": self.run.last_step,
            "error": self.run.record.get("error"),
            "headline": self.headline,
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "remarks": self.remarks,
            "floor": self.run.record.get("floor"),
            "first": lines[0] if lines else None,
            "last": lines[-1] if lines else None,
        }


class Page:
    """The page of one run; written anew, it reads only what is new."""

    def __init__(self, folder: RunFolder, *, bands: bool = False) -> None:
        self._folder = folder
        self._bands = bands
        self._answers = Answers(folder)
        self._batches: list[PackedStep] = []

    def write(self, ending: Mapping[str, Any] | None = None) -> None:
        """Write report.html into the run folder, which must be open for writing."""
        self._folder.write_report(self.render(ending=ending))

    def save(self, path: Path) -> Path:
        """Write the page to any file, whether or not the run goes on.

        Raises:
            RunFolderError: the disk refuses.
        """
        files.write_file(path, self.render().encode(), "write the report", durable=False)
        return path

    def render(self, *, live: bool = False, ending: Mapping[str, Any] | None = None) -> str:
        """Return the page; a `live` one goes on asking its server for more.

        `ending` is what run.json is about to hold of a run that ends.
        """
        summary = self.summary(ending)
        run = summary.run
        context = {
            "run": run,
            "record": {**dict.fromkeys(RECORD_FIELDS), **run.record, "status": run.status},
            "resolved": run.resolved,
            "provenance": PROVENANCE,
            "remarks": summary.remarks,
            "facts": _facts(run),
            "took": _took(run),
            "differences": differences(run.resolved),
            "ledger": ledger.rows_here(
                run.resolved.get("dialect") or "",
                run.resolved.get("settings") or {},
                (run.record.get("lora") or {}).get("odds"),
            ),
            "graphs": html.trusted(console_graphs(run.lines, bands=self._bands, floor=run.floor)),
            "batches": [] if live else summary.batches,
            "verdicts": summary.verdicts,
            "headline": summary.headline,
            **html.scripted(html.run_script(), self._data_of(summary, live=live), live=live),
        }
        return html.render("report", "page.html.jinja", context)

    def data(self) -> dict[str, Any]:
        """Return what the page's script draws, for a page that follows the run."""
        summary = self.summary()
        return self._data_of(summary, live=summary.run.going_on)

    def _data_of(self, summary: RunSummary, *, live: bool) -> dict[str, Any]:
        graphs = (
            *console_series(summary.run.lines, bands=self._bands, floor=summary.run.floor),
            *local_series(summary.run.lines),
        )
        return _data(summary, graphs, live=live)

    def batch(self, identity: str) -> str | None:
        """Return one step's packed answers, as of the last time the run was read."""
        return next((b.packed for b in self._batches if b.id == identity), None)

    def summary(self, ending: Mapping[str, Any] | None = None) -> RunSummary:
        """Read the run as it is now and judge it."""
        run = Run.read(self._folder, ending=ending)
        self._batches, remarks = self._answers.read(run)
        evidence = _evidence(run, self._batches)
        verdicts = diagnose_run(evidence)
        remarks = [*run.remarks, *remarks]
        return RunSummary(run, headline(evidence, verdicts), verdicts, remarks, self._batches)


class PageDuringRun:
    """A `RunObserver` that keeps report.html up to date; the folder must be open for writing."""

    def __init__(self, folder: RunFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._page = Page(folder)
        self._clock = clock
        self._due: float | None = None  # at once, so that there is a page to open

    def step(self, _line: Mapping[str, Any]) -> None:
        """Write the page if it is time again."""
        now = self._clock()
        if self._due is None or now >= self._due:
            self._page.write()
            done = self._clock()
            self._due = done + max(PAUSE_S, PAUSE_FACTOR * (done - now))

    def ended(self, record: Mapping[str, Any]) -> None:
        """Write the page whatever the time."""
        self._page.write(record)


def _evidence(run: Run, batches: list[PackedStep]) -> Evidence:
    """Return what the checks look at."""
    trained = [batch for batch in batches if batch.kind != VALIDATION and batch.answers]
    components = frozenset().union(*(batch.components for batch in trained))
    return Evidence.of(
        run,
        looping={batch.step: batch.looping for batch in trained},
        reward_components=components if trained else None,
    )


def _data(summary: RunSummary, graphs: Iterable[Graph], *, live: bool) -> dict[str, Any]:
    run = summary.run
    return {
        "name": visible(run.folder.name),
        "status": visible(run.status),
        "live": live,
        "every_ms": LIVE_EVERY_MS,
        "step": run.last_step,
        "total": (run.record.get("steps") or {}).get("total") or run.last_step,
        "per_event": run.local("lambda.batchSize"),
        "headline": summary.headline,
        "verdicts": [{**v.as_json(), "says": visible(v.says)} for v in summary.verdicts],
        "graphs": [{**asdict(graph), "sparse": graph.sparse} for graph in graphs],
        "band_words": BAND_WORDS,
        "floor_words": FLOOR_WORDS,
        "batches": [
            {"id": b.id, "kind": b.kind, "step": b.step, "answers": b.answers, "kept": b.kept}
            for b in summary.batches
        ],
    }


def _facts(run: Run) -> list[tuple[str, str]]:
    """Return what stands under the title: name and value."""
    device = (run.record.get("device") or {}).get("type")
    steps = run.record.get("steps") or {}
    data = run.record.get("data") or {}
    facts = [
        ("step", f"{run.last_step} of {steps['total']}" if "total" in steps else None),
        ("model", run.local("model")),
        ("base model" if run.is_of_bedrock else "stands in for", _base_model(run)),
        ("device", device),
        ("engine", (run.record.get("engine") or {}).get("name")),
        ("seed", run.record.get("seed")),
        ("training prompts", data.get("train_prompts")),
        ("validation prompts", data.get("validation_prompts")),
    ]
    return [(name, visible(value)) for name, value in facts if value is not None]


def _base_model(run: Run) -> str | None:
    request = run.resolved.get("request") or {}
    found = request.get("baseModelIdentifier") or request.get("model")
    return None if found is None else str(found)


def _took(run: Run) -> str | None:
    """Return how long the run took; None where a time is missing or foreign."""
    try:
        read = datetime.datetime.fromisoformat
        started, ended = (read(str(run.record.get(key))) for key in ("started", "ended"))
        seconds = round((ended - started).total_seconds())
    except (ValueError, TypeError):
        return None
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds % 60:02d} s" if minutes else f"{seconds} s"
