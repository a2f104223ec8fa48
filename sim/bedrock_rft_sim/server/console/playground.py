"""The playground: which local model is behind a choice, and what a question asks of it.

The page sends a word out of the list it was given, never a path.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.server.bedrock.names import has_model
from bedrock_rft_sim.server.console.replies import ConsoleError
from bedrock_rft_sim.server.inference import ModelAnswer, ModelRequest, TextPiece
from bedrock_rft_sim.server.state import ServerState

BASE: Final = "base"
TUNED: Final = "tuned"
TOKENS_DEFAULT: Final = 256
TOKENS_MAX: Final = 4096
_STEP: Final = re.compile(r"step-([0-9]{1,9})")


def base_model(state: ServerState, job: Job, run: Run | None) -> str:
    """Return the local model that the job trains: what its run names, else the mapping."""
    named = run.local("model") if run is not None else None
    if isinstance(named, str):
        return named
    return state.mapping.stand_in(DIALECTS[job.kind].model_id(dict(job.request))).model


def read_run(job: Job) -> Run | None:
    """Return the job's run; None before it has begun.

    Raises:
        RunFolderError: the folder is damaged.
    """
    folder = RunFolder(job.folder)
    return Run.read(folder) if folder.record.is_file() else None


def models_of_job(job: Job) -> list[dict[str, Any]]:
    """Return the models that can answer beside the base model, the best first."""
    found = [{"id": TUNED, "label": "tuned model"}] if has_model(job) else []
    steps = RunFolder(job.folder).checkpoint_steps()
    return found + [{"id": f"step-{n}", "label": f"checkpoint, step {n}"} for n in reversed(steps)]


def model_behind(state: ServerState, job: Job, run: Run | None, choice: str) -> str:
    """Return the local model behind a choice.

    Raises:
        ConsoleError: there is none, or not yet.
    """
    folder = RunFolder(job.folder)
    if choice == BASE:
        return base_model(state, job, run)
    if choice == TUNED and has_model(job):
        return str(folder.model)
    match = _STEP.fullmatch(choice)
    if match and int(match[1]) in folder.checkpoint_steps():
        return str(folder.checkpoint(int(match[1])))
    words = f"this job has no such model: {choice!r:.80}"
    known = "base, tuned once the job has completed, or step-N of a checkpoint"
    raise ConsoleError(f"{words}; expected {known}", status=404)


def read_question(state: ServerState, job: Job, body: dict[str, Any]) -> ModelRequest:
    """Return what the page's question asks of which model.

    Raises:
        ConsoleError: the question is incomplete, or there is no such model.
    """
    run = read_run(job)
    prompt, system = body.get("prompt"), body.get("system", "")
    if not isinstance(prompt, str) or not isinstance(system, str) or not prompt.strip():
        raise ConsoleError("there is nothing to ask: the prompt is empty")
    tokens = body.get("max_tokens", TOKENS_DEFAULT)
    if type(tokens) is not int or not 1 <= tokens <= TOKENS_MAX:
        raise ConsoleError(f"the answer may have from 1 to {TOKENS_MAX:,} tokens")
    is_sampled = body.get("sampled") is True
    turns = [{"role": "system", "content": system}] if system.strip() else []
    return ModelRequest(
        model=model_behind(state, job, run, str(body.get("model", BASE))),
        messages=[*turns, {"role": "user", "content": prompt}],
        max_tokens=tokens,
        temperature=_number(run, "temperature", 1.0) if is_sampled else 0.0,
        top_p=_number(run, "top_p", 1.0) if is_sampled else 1.0,
        top_k=int(_number(run, "top_k", 0)) if is_sampled else 0,
        template=(run.local("chatTemplateKwargs") if run is not None else None) or {},
    )


def as_line(piece: TextPiece | ModelAnswer) -> str:
    """Return a line of JSON for the page: some more text, or the whole answer."""
    if isinstance(piece, TextPiece):
        return json.dumps({"piece": piece.text}) + "\n"
    answered = {
        "text": piece.text,
        "stop": piece.stop_reason,
        "tokens": piece.completion_tokens,
        "prompt_tokens": piece.prompt_tokens,
    }
    return json.dumps({"answered": answered}) + "\n"


def _number(run: Run | None, name: str, default: float) -> float:
    value = run.setting(name) if run is not None else None
    return float(value) if isinstance(value, int | float) else default
