"""The answers of one step, packed for the page: compressed, within a budget, whole groups.

A step that is too large for its share of the budget keeps the groups of its best, worst and most
surprising answers and a seeded sample of the others; the page says what was left out.

Most surprising: the answer whose grade lies farthest from its group's mean in standard deviations
(the largest |advantage|), and among those the one the policy thought least likely per token.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.report.events import EventForm, sample_id
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.runs.rollouts import Rollout, groups

BUDGET_BYTES: Final = 9_000_000
"""Of all answers in one page, as they stand in it (gzip, base64)."""
SHORTEST_TEXT: Final = 400
"""Characters; no answer is cut shorter than this."""
LOOP_SIZES: Final = range(2, 81)
LOOP_TIMES: Final = 5
LOOP_MIN: Final = 40
"""Characters; what is shorter is an ellipsis or a rule rather than a loop."""
MAY_LACK: Final = ("advantage", "entropy", "logprob", "kl")
"""Measures that a rollout may not have."""


@dataclass(frozen=True, slots=True)
class PackedStep:
    """One training step's or one validation's answers, ready for the page."""

    kind: str
    """train or validation."""
    step: int
    answers: int
    kept: int
    packed: str
    """gzip, base64, of the JSON that `page.js` reads."""
    looping: float
    """Share of answers whose end repeats itself."""
    components: frozenset[str]
    """Names of the components of type Reward."""

    @property
    def id(self) -> str:
        """The id of its element in the page."""
        return f"{self.kind}-{self.step}"


def pack(
    kind: str,
    step: int,
    rollouts: Sequence[Rollout],
    rows: Mapping[tuple[str, str], Row],
    form: EventForm,
    *,
    allowance: int,
) -> PackedStep:
    """Pack one step into at most about `allowance` bytes; its best group is always kept."""
    usable = [rollout for rollout in rollouts if is_number(rollout.grade)]
    found = groups(usable)
    order = _by_interest(found, seed=step)
    kept, limit = len(order), None
    while True:
        chosen = [found[index] for index in sorted(order[:kept])]
        content: dict[str, Any] = {
            "kind": kind,
            "step": step,
            "answers": len(usable),
            "kept": sum(map(len, chosen)),
            "groups": [_group(group, rows.get((kind, group[0].prompt_id)), form, limit=limit)
                       for group in chosen],
        }  # fmt: skip
        packed = _packed(content)
        if len(packed) <= allowance or (kept <= 1 and limit == SHORTEST_TEXT):
            break
        if kept > 1:
            kept = max(1, min(kept - 1, int(kept * 0.9 * allowance / len(packed))))
        else:
            longest = max((len(r.text) for group in chosen for r in group), default=SHORTEST_TEXT)
            limit = max(SHORTEST_TEXT, (longest if limit is None else limit) // 2)
    return PackedStep(
        kind=kind,
        step=step,
        answers=len(usable),
        kept=content["kept"],
        packed=packed,
        looping=fmean(float(loops(r.text)) for r in usable) if usable else 0.0,
        components=frozenset(
            str(c.get("name")) for r in usable for c in _entries(r) if c.get("type") == "Reward"
        ),
    )


def surprise(rollout: Rollout) -> tuple[float, float]:
    """Return what the most surprising answers have most of."""
    per_token = (rollout.logprob or 0.0) / max(1, len(rollout.tokens))
    return abs(rollout.advantage or 0.0), -per_token


def loops(text: str) -> bool:
    """Whether a text ends in one piece of 2 to 80 characters five times in a row."""
    end = text.rstrip()
    return len(end) >= LOOP_MIN and any(
        end.endswith(end[-size:] * LOOP_TIMES)
        for size in LOOP_SIZES
        if size * LOOP_TIMES <= len(end)
    )


def _by_interest(found: Sequence[Sequence[Rollout]], *, seed: int) -> list[int]:
    """Return the groups' places: those of the best, worst and most surprising, then a sample."""
    if not found:
        return []
    places = range(len(found))
    first = [
        max(places, key=lambda place: max(r.grade for r in found[place])),
        min(places, key=lambda place: min(r.grade for r in found[place])),
        max(places, key=lambda place: max(surprise(r) for r in found[place])),
    ]
    rest = [place for place in places if place not in first]
    random.Random(seed).shuffle(rest)  # noqa: S311 - a sample to read, no secret
    return [*dict.fromkeys(first), *rest]


def _packed(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _group(
    group: Sequence[Rollout], row: Row | None, form: EventForm, *, limit: int | None
) -> dict[str, Any]:
    return {
        "prompt": group[0].prompt_id,
        "messages": _messages(row),
        "reference": None if row is None else _reference(row.reference_answer),
        "event": None if row is None else form.cut(row),
        "rows": [_row(rollout, limit=limit) for rollout in group],
    }


def _messages(row: Row | None) -> list[tuple[str, str]] | None:
    if row is None:
        return None
    return [(str(message.get("role")), _text(message.get("content"))) for message in row.messages]


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)


def _reference(reference: object) -> str | None:
    if reference is None or isinstance(reference, str):
        return reference
    return json.dumps(reference, ensure_ascii=False)


def _row(rollout: Rollout, *, limit: int | None) -> dict[str, Any]:
    text = str(rollout.text)
    cut = limit is not None and len(text) > limit
    if cut and limit is not None:
        text = f"{text[: limit // 2]}\n[ ... {len(text) - limit:,} characters ... ]\n"
        text += str(rollout.text)[-(limit // 2) :]
    return {
        "id": sample_id(rollout.prompt_id, rollout.sample),
        "sample": rollout.sample,
        "text": text,
        "cut": cut,
        "tokens": len(rollout.tokens),
        "stop": rollout.stop_reason,
        "grade": rollout.grade,
        **{name: _number(getattr(rollout, name)) for name in MAY_LACK},
        "components": [
            (str(c.get("name")), _number(c.get("value")), str(c.get("type")))
            for c in _entries(rollout)
        ]
        + [
            (name, _number(grade), "second opinion")
            for name, grade in (rollout.also_graded or {}).items()
        ],
    }


def _entries(rollout: Rollout) -> list[dict[str, Any]]:
    return [entry for entry in rollout.components if isinstance(entry, dict)]


def _number(value: object) -> float | None:
    return value if is_number(value) else None
