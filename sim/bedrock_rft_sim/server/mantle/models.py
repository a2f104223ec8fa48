"""Which models there are, and which local one stands behind a name: base, tuned or checkpoint.

Sources: OpenAI API reference, models; Bedrock user guide, fine-tuning-openai-apis.
"""

from __future__ import annotations

from typing import Any, Final

from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS
from bedrock_rft_sim.jobs import Jobs, UnknownJobError
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.mantle.errors import unknown_model
from bedrock_rft_sim.server.mantle.names import Tuned, tuned_model, tuned_of
from bedrock_rft_sim.server.state import ServerState

OWNER: Final = "bedrock-rft-sim"


def base_models(state: ServerState) -> tuple[str, ...]:
    """Return the base models of this API: the open-weight ones, and what the mapping adds."""
    return tuple(name for name in state.mapping.ids if name not in NOVA_RFT_MODELS)


def local_model(state: ServerState, name: str) -> str:
    """Return the local model behind a name.

    Raises:
        OpenAIError: there is none, or not yet.
    """
    tuned = tuned_of(name)
    if tuned is not None:
        return _tuned_folder(state.jobs, name, tuned)
    base, known = state.mapping.base(name), base_models(state)
    if base not in known:
        words = "does not exist or you do not have access to it; known are"
        raise unknown_model(name[:200], f"{words} {', '.join(known)}, and tuned models.")
    return state.mapping.stand_in(base).model


def _tuned_folder(jobs: Jobs, name: str, tuned: Tuned) -> str:
    try:
        job = jobs.get(tuned.job)
    except UnknownJobError:
        raise unknown_model(name) from None
    if job.kind != "openai" or openai.model_id(job.request) != tuned.base:
        raise unknown_model(name)
    folder = RunFolder(job.folder)
    if tuned.step is not None:
        if tuned.step not in folder.checkpoint_steps():
            raise unknown_model(name)
        return str(folder.checkpoint(tuned.step))
    if job.status != "completed":
        raise unknown_model(name, "is not ready: its job has not succeeded.")
    return str(folder.model)


def all_models(state: ServerState) -> list[dict[str, Any]]:
    """Return the model objects: base models, then tuned ones and their checkpoints."""
    found = [as_model(name, created=0) for name in base_models(state)]
    for job in state.jobs.list("openai"):
        base = openai.model_id(job.request)
        created = int(job.ended or job.modified)
        if job.status == "completed":
            found.append(as_model(tuned_model(base, job.id), created=created))
        for step in RunFolder(job.folder).checkpoint_steps():
            found.append(as_model(tuned_model(base, job.id, step=step), created=created))
    return found


def as_model(name: str, *, created: int) -> dict[str, Any]:
    """Return the model object."""
    return {"id": name, "object": "model", "created": created, "owned_by": OWNER}
