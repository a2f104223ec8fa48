"""fine_tuning.job, its events and its checkpoints, made of the list of jobs and the run folder.

Events come from the run folder exactly as they stand there, after those in which the endpoint says
what it does differently from the request.
Assumed: `trained_tokens` counts the tokens of the answers; what is billed is not documented.
What Bedrock's documents leave open is null: `estimated_finish`, `result_files` (none).
Sources: openai Python library, type definitions of fine_tuning.jobs; Bedrock user guide,
fine-tuning-openai-job-create; `bedrock_rft_sim.contract.statuses`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.contract.statuses import OpenAIStatus
from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.bedrock.names import ACCOUNT
from bedrock_rft_sim.server.mantle.names import job_id, tuned_model
from bedrock_rft_sim.server.rehearsal import failure_of, told

VALIDATING: Final[OpenAIStatus] = "validating_files"
METADATA_CHARS: Final = 512
_AUTO: Final = "auto"


def as_job(job: Job, *, pending_s: float) -> dict[str, Any]:
    """Return the fine_tuning.job object.

    Its file counts as being validated for `pending_s`, unless it trains before.
    """
    request = job.request
    base = openai.model_id(request)
    return {
        "id": job_id(job.id),
        "object": "fine_tuning.job",
        "created_at": int(job.created),
        "finished_at": None if job.ended is None else int(job.ended),
        "model": base,
        "fine_tuned_model": tuned_model(base, job.id) if job.status == "completed" else None,
        "organization_id": f"org-{ACCOUNT}",
        "status": _status(job, pending_s),
        "hyperparameters": _hyperparameters(request),
        "training_file": request["training_file"],
        "validation_file": None,
        "result_files": [],
        "trained_tokens": _trained_tokens(job),
        "error": _error(job),
        "seed": job.openai.seed,
        "estimated_finish": None,
        "integrations": [],
        "metadata": {"rehearsal": ". ".join(told(job))[:METADATA_CHARS]},
        "method": request["method"],
    }


def _status(job: Job, pending_s: float) -> str:
    is_new = time.time() < job.created + pending_s
    return VALIDATING if job.api_status == "queued" and is_new else job.api_status


def _hyperparameters(request: Mapping[str, Any]) -> dict[str, Any]:
    stated = request["method"]["reinforcement"].get("hyperparameters", {})
    names = ("n_epochs", "batch_size", openai.MULTIPLIER)
    return {name: stated.get(name, _AUTO) for name in names}


def _trained_tokens(job: Job) -> int | None:
    """Return the tokens of all answers trained on.

    None before the job has succeeded, and where its metrics are damaged, which its events tell.
    """
    if job.status != "completed":
        return None
    try:
        lines = RunFolder(job.folder).read_metrics()
    except RunFolderError:
        return None
    counted = [int(line["local_tokens"]) for line in lines if line.get("local_tokens") is not None]
    return sum(counted) if counted else None


def _error(job: Job) -> dict[str, str | None] | None:
    if job.status != "failed":
        return None
    words = failure_of(job) or "the training failed"
    return {"code": "training_failed", "message": words, "param": None}


def remark_events(remarks: Sequence[str]) -> list[dict[str, Any]]:
    """Return the events that say, before any other, what the rehearsal does differently."""
    return [message_event(remark, level="warn") for remark in remarks]


def events_of(job: Job) -> list[dict[str, Any]]:
    """Return the events, newest first as OpenAI lists them: the run folder's, then the remarks."""
    folder = RunFolder(job.folder)
    return list(reversed([*job.openai.remark_events, *folder.read_events()]))


def checkpoints_of(job: Job) -> list[dict[str, Any]]:
    """Return the checkpoints, newest first; `metrics` under the names of the job's events."""
    folder = RunFolder(job.folder)
    metrics = {line["step"]: line for line in folder.read_metrics() if "step" in line}
    base = openai.model_id(job.request)
    return [
        {
            "id": f"ftckpt-{uuid.uuid5(uuid.UUID(job.id), str(step))}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(folder.checkpoint(step).stat().st_mtime),
            "fine_tuning_job_id": job_id(job.id),
            "fine_tuned_model_checkpoint": tuned_model(base, job.id, step=step),
            "step_number": step,
            "metrics": _checkpoint_metrics(step, metrics.get(step, {})),
        }
        for step in reversed(folder.checkpoint_steps())
    ]


def _checkpoint_metrics(step: int, line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was measured at the step.

    OpenAI's losses and token accuracies are null: GRPO on rewards has neither.
    """
    known = {name: value for name, value in line.items() if not name.startswith("local_")}
    known.pop("total_steps", None)
    sets, kinds = ("train", "valid", "full_valid"), ("loss", "mean_token_accuracy")
    absent = dict.fromkeys(f"{name}_{kind}" for kind in kinds for name in sets)
    return {**absent, **known, "step": step}
