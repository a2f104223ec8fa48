"""Which local model stands behind a choice in the playground: base, tuned, or a checkpoint.

The page sends a word out of the list it was given, never a path.
Sources: none of its own.
"""

from __future__ import annotations

import re
from typing import Any, Final

from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.server.bedrock.names import has_model
from bedrock_rft_sim.server.state import ServerState, UnknownModelError

BASE: Final = "base"
TUNED: Final = "tuned"
_STEP: Final = re.compile(r"step-([0-9]{1,9})")


def base_model(state: ServerState, job: Job, run: Run | None) -> str:
    """Return the local model that the job trains: what its run names, else the mapping."""
    named = run.local("model") if run is not None else None
    if isinstance(named, str):
        return named
    return state.mapping.stand_in(DIALECTS[job.kind].model_id(dict(job.request))).model


def models_of_job(job: Job) -> list[dict[str, Any]]:
    """Return what can be asked beside the base model, the best first."""
    found = [{"id": TUNED, "label": "tuned model"}] if has_model(job) else []
    steps = RunFolder(job.folder, None).checkpoint_steps()
    return found + [{"id": f"step-{n}", "label": f"checkpoint, step {n}"} for n in reversed(steps)]


def model_behind(state: ServerState, job: Job, run: Run | None, choice: str) -> str:
    """Return the local model behind a choice.

    Raises:
        UnknownModelError: there is none, or not yet.
    """
    folder = RunFolder(job.folder, None)
    if choice == BASE:
        return base_model(state, job, run)
    if choice == TUNED and has_model(job):
        return str(folder.model)
    match = _STEP.fullmatch(choice)
    if match and int(match[1]) in folder.checkpoint_steps():
        return str(folder.checkpoint(int(match[1])))
    raise UnknownModelError(
        "this job has no such model",
        expected="base, tuned once the job has completed, or step-N of a checkpoint",
        found=repr(choice)[:80],
    )
