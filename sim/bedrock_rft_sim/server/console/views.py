"""A job as the console shows it: plain data from the list of jobs and the run folder.

Statuses and names are those of the job's own API. Texts are handed on as they are; the page's
script shows them as text and makes hidden characters visible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.report.series import console_series
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.server.bedrock.jobs import STATUS as BEDROCK_STATUS
from bedrock_rft_sim.server.bedrock.names import has_model, job_arn, model_arn
from bedrock_rft_sim.server.console.playground import base_model, models_of_job, read_run
from bedrock_rft_sim.server.mantle.jobs import STATUSES
from bedrock_rft_sim.server.mantle.names import job_id, tuned_model
from bedrock_rft_sim.server.rehearsal import failure_of, told
from bedrock_rft_sim.server.state import ServerState

EVENTS_SHOWN: Final = 200
EXAMPLES_SHOWN: Final = 20


def summary(job: Job) -> dict[str, Any]:
    """Return what the list shows."""
    words: Mapping[Any, str] = BEDROCK_STATUS if job.kind == "bedrock" else STATUSES
    names = ("id", "kind", "name", "has_ended", "created", "started", "ended")
    own = {name: getattr(job, name) for name in names}
    return {**own, "base": _base(job), "state": job.status, "status": words[job.status]}


def mark(state: ServerState, job: Job) -> str:
    """Return a word that changes whenever `detail` would, cheaply."""
    folder = RunFolder(job.folder)
    files = (folder.record, folder.resolved, folder.metrics, folder.events, folder.report)
    stats = [_stat(path) for path in (*files, folder.checkpoints, folder.model)]
    words = repr((job.id, job.status, job.modified, stats, base_model(state, job, None)))
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def detail(state: ServerState, job: Job) -> dict[str, Any]:
    """Return everything about one job; what the run folder does not hold yet is empty."""
    folder = RunFolder(job.folder)
    run, trouble = None, None
    try:
        run = read_run(job)
    except RehearsalError as error:
        trouble = str(error)
    lines = run.lines if run is not None else []
    steps = (run.record.get("steps") or {}) if run is not None else {}
    events = _events(job, folder)
    phases = [
        {"title": name.replace("_", " ").capitalize(), "status": phase["status"]}
        for name, phase in asdict(job.phases).items()
    ]
    limit = run.setting("inference_max_tokens") if run is not None else None
    return {
        **summary(job),
        "shown_id": job_arn(job) if job.kind == "bedrock" else job_id(job.id),
        "failure": failure_of(job),
        "phases": phases,
        "remarks": told(job),
        "trouble": trouble,
        "stand_in": base_model(state, job, run),
        "step": run.last_step if run is not None else 0,
        "total": steps.get("total"),
        "planned": steps.get("planned"),
        "graphs": [asdict(graph) | {"sparse": graph.sparse} for graph in console_series(lines)],
        "events": events[:EVENTS_SHOWN],
        "events_left": max(0, len(events) - EVENTS_SHOWN),
        "checkpoints": _checkpoints(job, folder, lines),
        "model": _tuned_name(job),
        "models": models_of_job(job),
        "max_tokens": limit if isinstance(limit, int) else None,
        "has_report": folder.report.is_file(),
    }


def examples(job: Job) -> list[dict[str, str | None]]:
    """Return a few of the run's prompts for the playground: one question each.

    Validation prompts come first, because the model was not trained on them.

    Raises:
        RunFolderError: the file of the prompts is damaged.
    """
    rows = RunFolder(job.folder).read_prompts()
    found = []
    for (kind, _), row in sorted(rows.items(), key=lambda item: item[0][0] != "validation"):
        messages = {message.get("role"): message.get("content") for message in row.messages}
        prompt, system = messages.get("user"), messages.get("system", "")
        is_plain = isinstance(prompt, str) and isinstance(system, str)
        if not is_plain or len(row.messages) != 1 + bool(system):
            continue
        reference = _reference(row.reference_answer)
        found.append({"set": kind, "system": system, "prompt": prompt, "reference": reference})
        if len(found) == EXAMPLES_SHOWN:
            break
    return found


def _base(job: Job) -> str:
    return str(DIALECTS[job.kind].model_id(dict(job.request)))


def _events(job: Job, folder: RunFolder) -> list[dict[str, Any]]:
    """Return the events, newest first."""
    try:
        written = folder.read_events()
    except RehearsalError:  # `detail` says so already: a damaged folder is damaged throughout
        written = []
    remarks = job.openai.remark_events if job.kind == "openai" else ()
    found = [*remarks, *written]
    return [
        {
            "at": event.get("created_at"),
            "level": str(event.get("level")),
            "message": str(event.get("message")),
            "reward": _reward(event.get("data")),
        }
        for event in reversed(found)
        if isinstance(event, dict)
    ]


def _checkpoints(
    job: Job, folder: RunFolder, lines: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the checkpoints, newest first, with what was last validated by then."""
    by_step = {line["step"]: line for line in lines}
    is_named = job.kind == "openai"
    found = []
    for step in reversed(folder.checkpoint_steps()):
        status = _stat(folder.checkpoint(step))
        if status is None:  # it was removed meanwhile
            continue
        line = by_step.get(step, {})
        found.append(
            {
                "step": step,
                "at": status[0] / 1e9,
                "reward": line.get("critic_rewards_mean"),
                "validation": line.get("validation_rewards_mean"),
                "model": tuned_model(_base(job), job.id, step=step) if is_named else None,
            }
        )
    return found


def _reward(data: object) -> float | None:
    value = data.get("critic_rewards_mean") if isinstance(data, dict) else None
    return value if is_number(value) else None


def _tuned_name(job: Job) -> str | None:
    """Return what a client calls the finished model."""
    if not has_model(job):
        return None
    return model_arn(job) if job.kind == "bedrock" else tuned_model(_base(job), job.id)


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _reference(reference: str | dict[str, Any] | None) -> str | None:
    if isinstance(reference, dict):
        final = reference.get("final_answer", reference.get("text"))
        return None if final is None else str(final)
    return reference
