"""The shapes of what a run folder holds, checked where it is read: readers rely on them.

A folder may have been damaged or changed by something else. A key that is absent or null fits,
since a run that ended early lacks some and an older version knew fewer; what stands in a list or
under `Each` is never null, and of an `Entire` object no key is absent. A number is finite.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bedrock_rft_sim.contract.metrics import METRICS as TABLE
from bedrock_rft_sim.errors import RunFolderError

NUMBER: Final = (int, float)
TEXT_OR_NULL: Final = (str, type(None))
ANYTHING: Final = object
WORDS: Final = {str: "text", int: "a whole number", NUMBER: "a number", dict: "an object",
                list: "a list", bool: "true or false", TEXT_OR_NULL: "text or null"}  # fmt: skip


@dataclass(frozen=True)
class Each:
    """An object whose every value has one shape."""

    shape: Any


@dataclass(frozen=True)
class Entire:
    """An object that has every one of these keys: whatever wrote it wrote them all."""

    shapes: Mapping[str, Any]


RECORD: Final = {
    "name": str, "status": str, "error": str, "started": str, "ended": str, "seed": int,
    "model": str, "recipe_hash": str, "reward_hash": str, "data_hash": str, "git_revision": str,
    "second_opinions": Each(TEXT_OR_NULL), "micro_batch": int, "resumed_from_step": int,
    "remarks": [str], "versions": Each(TEXT_OR_NULL),
    "checkpoints_have_manifests": bool, "origin": str, "job_arn": str, "model_arn": str,
    "estimate": Each({"value": NUMBER, "low": NUMBER, "high": NUMBER, "basis": str}),
    "grader": {"invocations": int, "p50_s": NUMBER, "p95_s": NUMBER, "max_s": NUMBER,
               "errors": Each(int)},
    "device": {"type": str, "name": str, "dtype": str, "free_bytes": int},
    "data": {"records": int, "train_prompts": int, "validation_prompts": int,
             "dropped_too_long": [str]},
    "steps": {"per_epoch": int, "total": int, "planned": int, "checkpoints": [int],
              "validations": [int]},
    "engine": {"name": str, "why": str},
    "update": {"name": str, "why": str},
    "floor": {"score": NUMBER, "strategy": str, "strategies": int, "rows": int, "left_out": str},
    "lora": {"odds": str},
    "learning_signal": {"ok": bool, "words": str},
    "early_stopping": {"step": int, "best_step": int, "best_validation_reward": NUMBER,
                       "reason": str},
}  # fmt: skip
"""run.json."""
ENTRY: Final = Entire({"value": ANYTHING, "origin": str, "source": str})
RESOLVED: Final = {
    "name": str, "dialect": str, "request": dict, "settings": Each(ENTRY), "local": Each(ENTRY),
    "refusals": [str],
}  # fmt: skip
"""recipe.resolved.json."""
PROMPT: Final = {"set": str, "id": str, "messages": [dict], "extra": dict}
EVENT: Final = {"id": str, "created_at": int, "level": str, "message": str, "type": str,
                "data": {"step": int}}  # fmt: skip
ROLLOUT: Final = {
    "step": int, "prompt_id": str, "sample": int, "text": str, "tokens": [int],
    "stop_reason": str, "grade": NUMBER, "components": [dict], "advantage": NUMBER,
    "entropy": NUMBER, "logprob": NUMBER, "kl": NUMBER, "also_graded": Each(NUMBER),
}  # fmt: skip
METRICS_INSIDE: Final = {
    "local_reward_components": Each(NUMBER), "local_grader_errors": Each(int),
    "local_seconds": Each(NUMBER), "local_non_finite": [str],
    "local_also_graded": Each(NUMBER), "local_validation_also_graded": Each(NUMBER),
}  # fmt: skip
"""What a metric line holds beside numbers."""
METRICS: Final = {metric.inner: NUMBER for metric in TABLE} | METRICS_INSIDE | {"step": int}
"""A metric line that a run goes on from."""


def demand(value: Any, shape: Any, *, where: object) -> None:
    """Refuse what has another shape.

    Raises:
        RunFolderError: it has; the message names the place in it.
    """
    found = misfit(value, shape)
    if found is not None:
        raise RunFolderError(
            "the file is damaged",
            where=str(where),
            expected="what a run writes there",
            found=found,
            hint="something else wrote this file; restore it, or run again under another name",
        )


def misfit(value: Any, shape: Any, place: str = "it") -> str | None:
    """Return where a value has another shape and what stands there; None where it fits."""
    if not _is(value, _kind(shape)):
        return f"{place} is {value!r:.60}, not {WORDS[_kind(shape)]}"
    if isinstance(shape, Entire):
        missing = [name for name in shape.shapes if name not in value]
        if missing:
            return f"{place} lacks {', '.join(missing)}"
    for name, inner, wanted in _parts(value, shape):
        found = misfit(inner, wanted, str(name) if place == "it" else f"{place}.{name}")
        if found is not None:
            return found
    return None


def _kind(shape: Any) -> Any:
    if isinstance(shape, list):
        return list
    return dict if isinstance(shape, Mapping | Each | Entire) else shape


def _is(value: Any, kind: Any) -> bool:
    if kind in (int, NUMBER) and isinstance(value, NUMBER):
        is_finite = abs(value) <= sys.float_info.max  # no run writes another
        return isinstance(value, kind) and not isinstance(value, bool) and is_finite
    return isinstance(value, kind)


def _parts(value: Any, shape: Any) -> list[tuple[Any, Any, Any]]:
    if isinstance(shape, list):
        if set(map(type, value)) <= {shape[0]}:  # at once, because lists of tokens are long
            return []
        return [(n, each, shape[0]) for n, each in enumerate(value)]
    if isinstance(shape, Each):
        return [(name, each, shape.shape) for name, each in value.items()]
    if isinstance(shape, Entire):
        return [(name, value[name], wanted) for name, wanted in shape.shapes.items()]
    if isinstance(shape, Mapping):
        present = ((name, value.get(name), wanted) for name, wanted in shape.items())
        return [part for part in present if part[1] is not None]
    return []
