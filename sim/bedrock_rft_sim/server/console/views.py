"""A job or a run as the console shows it: plain data from the list of jobs and the run folder.

Statuses and names are those of the job's own API. Texts are handed on as they are; the page's
script shows them as text and makes hidden characters visible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.contract.statuses import COMPLETED, IN_PROGRESS, STOPPING
from bedrock_rft_sim.diagnosis import Evidence, diagnose_run
from bedrock_rft_sim.diagnosis.finding import fired
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import Job, warnings_of
from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.report.series import console_series
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.runs.folder import is_locked
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.server.bedrock.names import has_model, job_arn, model_arn
from bedrock_rft_sim.server.console.entries import ConsoleEntry
from bedrock_rft_sim.server.console.playground import base_model, models_of
from bedrock_rft_sim.server.mantle.names import job_id, tuned_model
from bedrock_rft_sim.server.rehearsal import failure_of, told
from bedrock_rft_sim.server.state import ServerState

EVENTS_SHOWN: Final = 200
EXAMPLES_SHOWN: Final = 20


def summary(entry: ConsoleEntry) -> dict[str, Any]:
    """Return what the list shows."""
    try:
        record = entry.folder.read_record()
    except RehearsalError:  # none yet; of a damaged one `detail` speaks
        record = {}
    own = _of_run(entry.folder, record) if entry.job is None else _of_job(entry.job)
    return {"id": entry.id, **own, "doubt": _doubt(record)}


def _doubt(record: Mapping[str, Any]) -> str | None:
    """Return in few words why a run that completed is none to rely on."""
    signal = record.get("learning_signal") or {}
    is_doubtful = record.get("status") == COMPLETED and signal.get("ok") is False
    return str(signal.get("words")).partition(":")[0] if is_doubtful else None


def _of_job(job: Job) -> dict[str, Any]:
    names = ("kind", "name", "has_ended", "created", "started", "ended")
    own = {name: getattr(job, name) for name in names}
    return {**own, "base": _base(job), "state": job.status, "status": job.api_status}


def _of_run(folder: RunFolder, record: Mapping[str, Any]) -> dict[str, Any]:
    status = str(record.get("status") or "unknown")
    goes_on = status in (IN_PROGRESS, STOPPING)
    is_cut_off = goes_on and not is_locked(folder.path)
    started = _seconds(record.get("started"))
    return {
        "kind": "run",
        "name": folder.name,
        "has_ended": is_cut_off or not goes_on,
        "created": started,
        "started": started,
        "ended": _seconds(record.get("ended")),
        "base": None,
        "state": "stopped" if is_cut_off else status.lower(),
        "status": "cut off" if is_cut_off else status,
    }


def mark(entry: ConsoleEntry) -> str:
    """Return a word that changes whenever `detail` would, cheaply."""
    folder, job = entry.folder, entry.job
    files = (folder.record, folder.resolved, folder.metrics, folder.events, folder.report)
    stats = [_stat(path) for path in (*files, folder.checkpoints, folder.model)]
    state = is_locked(folder.path) if job is None else (job.status, job.modified)
    words = repr((entry.id, state, stats))
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def detail(state: ServerState, entry: ConsoleEntry) -> dict[str, Any]:
    """Return everything about one job or run; what its folder does not hold yet is empty."""
    folder, run, base, trouble = entry.folder, None, None, None
    try:
        run = entry.read()
        base = base_model(state, entry, run)
    except RehearsalError as error:
        trouble = str(error)
    lines = run.lines if run is not None else []
    steps = (run.record.get("steps") or {}) if run is not None else {}
    verdicts = fired(diagnose_run(Evidence.of(run))) if run is not None else []
    said = {words for verdict in verdicts for words in (verdict.words, verdict.says)}
    about = _about_run(folder, run) if entry.job is None else _about_job(entry.job)
    about["remarks"] = [remark for remark in about["remarks"] if remark not in said]
    events = _events(entry)
    limit = run.setting("inference_max_tokens") if run is not None else None
    return {
        **summary(entry),
        **about,
        "verdicts": [verdict.as_json() for verdict in verdicts],
        "trouble": trouble,
        "stand_in": base,
        "step": run.last_step if run is not None else 0,
        "total": steps.get("total"),
        "planned": steps.get("planned"),
        "graphs": [asdict(graph) | {"sparse": graph.sparse} for graph in console_series(lines)],
        "events": events[:EVENTS_SHOWN],
        "events_left": max(0, len(events) - EVENTS_SHOWN),
        "checkpoints": _checkpoints(entry, lines),
        "models": models_of(entry),
        "max_tokens": limit if isinstance(limit, int) else None,
        "has_report": folder.report.is_file(),
    }


def _about_job(job: Job) -> dict[str, Any]:
    phases = [
        {"title": name.replace("_", " ").capitalize(), "status": phase["status"]}
        for name, phase in asdict(job.phases).items()
    ]
    return {
        "shown_id": job_arn(job) if job.kind == "bedrock" else job_id(job.id),
        "failure": failure_of(job),
        "phases": phases,
        "remarks": told(job),
        "model": _tuned_name(job),
    }


def _about_run(folder: RunFolder, run: Run | None) -> dict[str, Any]:
    request = (run.resolved.get("request") or {}) if run is not None else {}
    return {
        "shown_id": str(folder.path),
        "failure": run.record.get("error") if run is not None else None,
        "phases": [],
        "remarks": [*(run.remarks if run is not None else ()), *warnings_of(folder.path)],
        "model": None,
        "base": request.get("baseModelIdentifier") or request.get("model"),
    }


def examples(entry: ConsoleEntry) -> list[dict[str, str | None]]:
    """Return a few of the run's prompts for the playground: one question each.

    Validation prompts come first, because the model was not trained on them.

    Raises:
        RunFolderError: the file of the prompts is damaged.
    """
    rows = entry.folder.read_prompts()
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


def _events(entry: ConsoleEntry) -> list[dict[str, Any]]:
    """Return the events, newest first."""
    try:
        written = entry.folder.read_events()
    except RehearsalError:  # `detail` says so already: a damaged folder is damaged throughout
        written = []
    job = entry.job
    remarks = job.openai.remark_events if job is not None and job.kind == "openai" else ()
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


def _checkpoints(entry: ConsoleEntry, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the checkpoints, newest first, with what was last validated by then."""
    folder, job = entry.folder, entry.job
    by_step = {line["step"]: line for line in lines}
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
                "model": _checkpoint_name(job, step),
            }
        )
    return found


def _reward(data: object) -> float | None:
    value = data.get("critic_rewards_mean") if isinstance(data, dict) else None
    return value if is_number(value) else None


def _checkpoint_name(job: Job | None, step: int) -> str | None:
    """Return what a client calls a checkpoint; only OpenAI's API has a name for one."""
    if job is None or job.kind != "openai":
        return None
    return tuned_model(_base(job), job.id, step=step)


def _tuned_name(job: Job) -> str | None:
    """Return what a client calls the finished model."""
    if not has_model(job):
        return None
    return model_arn(job) if job.kind == "bedrock" else tuned_model(_base(job), job.id)


def _seconds(moment: object) -> float | None:
    """Return a time of run.json in seconds since 1970; None where it is missing or foreign."""
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return None


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
