"""The playground: which local model is behind a choice, and what a question asks of it.

The page sends a word out of the list it was given, never a path.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from bedrock_rft_sim.runs import Run
from bedrock_rft_sim.server.bedrock.names import has_model
from bedrock_rft_sim.server.console.entries import ConsoleEntry
from bedrock_rft_sim.server.console.replies import ConsoleError
from bedrock_rft_sim.server.inference import ModelAnswer, ModelRequest, TextPiece
from bedrock_rft_sim.server.state import ServerState

BASE: Final = "base"
TUNED: Final = "tuned"
TOKENS_DEFAULT: Final = 256
TOKENS_MAX: Final = 4096
_STEP: Final = re.compile(r"step-([0-9]{1,9})")


def base_model(state: ServerState, entry: ConsoleEntry, run: Run | None) -> str | None:
    """Return the local model that is trained: as the run names it, else the job's recipe.

    None where neither says it, as before a foreign run has begun.

    Raises:
        RunFolderError: the recipe is gone or damaged.
    """
    named = run.base_model if run is not None else None
    if named is None and entry.job is not None:
        named = (state.jobs.recipe(entry.id).get("local") or {}).get("model")
    return named if isinstance(named, str) else None


def models_of(entry: ConsoleEntry) -> list[dict[str, Any]]:
    """Return the models that can answer beside the base model, the best first."""
    found = [{"id": TUNED, "label": "tuned model"}] if _has_tuned(entry) else []
    steps = entry.folder.checkpoint_steps()
    return found + [{"id": f"step-{n}", "label": f"checkpoint, step {n}"} for n in reversed(steps)]


def model_behind(state: ServerState, entry: ConsoleEntry, run: Run | None, choice: str) -> str:
    """Return the local model behind a choice.

    Raises:
        ConsoleError: there is none, or not yet.
    """
    folder = entry.folder
    if choice == BASE and (base := base_model(state, entry, run)) is not None:
        return base
    if choice == TUNED and _has_tuned(entry):
        return str(folder.model)
    match = _STEP.fullmatch(choice)
    if match and int(match[1]) in folder.checkpoint_steps():
        return str(folder.checkpoint(int(match[1])))
    words = f"there is no such model here: {choice!r:.80}"
    known = "base, tuned once training has completed, or step-N of a checkpoint"
    raise ConsoleError(f"{words}; expected {known}", status=404)


def _has_tuned(entry: ConsoleEntry) -> bool:
    return entry.folder.model.is_dir() if entry.job is None else has_model(entry.job)


def read_question(state: ServerState, entry: ConsoleEntry, body: dict[str, Any]) -> ModelRequest:
    """Return what the page's question asks of which model.

    Raises:
        ConsoleError: the question is incomplete, or there is no such model.
    """
    run = entry.read()
    prompt, system = body.get("prompt"), body.get("system", "")
    if not isinstance(prompt, str) or not isinstance(system, str) or not prompt.strip():
        raise ConsoleError("there is nothing to ask: the prompt is empty")
    tokens = body.get("max_tokens", TOKENS_DEFAULT)
    if type(tokens) is not int or not 1 <= tokens <= TOKENS_MAX:
        raise ConsoleError(f"the answer may have from 1 to {TOKENS_MAX:,} tokens")
    is_sampled = body.get("sampled") is True
    turns = [{"role": "system", "content": system}] if system.strip() else []
    return ModelRequest(
        model=model_behind(state, entry, run, str(body.get("model", BASE))),
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
