"""The runs in a folder, as a list shows them, and what two of them were given differently.

A run that can't be read is listed with the reason and hides none of its neighbours.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.contract.statuses import IN_PROGRESS, STOPPING
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.runs.folder import LATEST, RECORD
from bedrock_rft_sim.runs.run import Run

REWARD: Final = "critic_rewards_mean"
KILLED: Final = "killed"
DAMAGED: Final = "damaged"
OF: Final = ("recipe", "data", "reward", "versions")
DATA: Final = ("data_hash", "data")
REWARDS: Final = ("reward_hash",)
HYPER: Final = "hyperparameters."
VERSIONS: Final = ("versions", "git_revision", "device", "engine", "update")
OF_THE_MOMENT: Final = frozenset({"device.free_bytes"})
"""What differs between any two runs."""


@dataclass(frozen=True)
class ListedRun:
    """One run; what is unknown is None."""

    name: str
    folder: str
    status: str
    """Bedrock's word; `killed` where no process is writing any more, `damaged` where unreadable."""
    model: str | None
    step: int
    """The last complete one."""
    total_steps: int | None
    reward_first: float | None
    """`critic_rewards_mean` of the first step."""
    reward_last: float | None
    started: str | None
    bytes: int
    """Of all its files."""
    problem: str | None = None
    """Why it can't be read."""

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def age_s(self, now: datetime.datetime) -> float | None:
        """Return the seconds since it was started."""
        with contextlib.suppress(ValueError, TypeError):
            return (now - datetime.datetime.fromisoformat(str(self.started))).total_seconds()
        return None


def list_runs(parent: Path) -> list[ListedRun]:
    """Return the runs in the folder, the one that was started last first."""
    folders = sorted(path.parent for path in parent.glob(f"*/{RECORD}"))
    found = [listed(each) for each in folders if each.name != LATEST and each.name[0] != "."]
    return sorted(found, key=lambda one: one.started or "", reverse=True)


def listed(path: Path) -> ListedRun:
    """Return the run in the folder."""
    size = _bytes(path)
    try:
        run = Run.open(path)
    except RehearsalError as error:
        what, none = error.what, (None,) * 4
        return ListedRun(path.name, str(path), DAMAGED, None, 0, *none, size, what)
    rewards = [line[REWARD] for line in run.trained if line[REWARD] is not None]
    killed = run.status in (IN_PROGRESS, STOPPING) and not run.going_on
    return ListedRun(
        name=path.name,
        folder=str(path),
        status=KILLED if killed else run.status,
        model=run.local("model"),
        step=run.last_step,
        total_steps=(run.record.get("steps") or {}).get("total"),
        reward_first=rewards[0] if rewards else None,
        reward_last=rewards[-1] if rewards else None,
        started=run.record.get("started"),
        bytes=size,
    )


def _bytes(path: Path) -> int:
    """Return the size of all files; what a run that goes on removes meanwhile has none."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(folder, name).lstat().st_size
    return total


@dataclass(frozen=True)
class RunDifference:
    """One value that two runs do not share; None where a run lacks it."""

    of: str
    """recipe, data, reward or versions."""
    name: str
    a: Any
    b: Any


def differing(a: Run, b: Run) -> list[RunDifference]:
    """Return what differs in recipe, data, reward and versions; nothing for equal runs."""
    return [
        RunDifference(of, name, one.get(name), other.get(name))
        for of, one, other in zip(OF, _given(a), _given(b), strict=True)
        for name in sorted({*one, *other} - OF_THE_MOMENT)
        if one.get(name) != other.get(name)
    ]


def _given(run: Run) -> tuple[dict[str, Any], ...]:
    settings = _values(run.resolved, "settings", "")
    request = dict(_flat(run.resolved.get("request") or {}))
    local = _values(run.resolved, "local", "local.")
    recipe = {
        # What became of hyperparameters stands among the settings, with defaults and overrides.
        **{name: value for name, value in request.items() if HYPER not in name.lower()},
        **settings,
        **{name: value for name, value in local.items() if name[len("local.") :] not in settings},
    }
    of_record = (
        dict(_flat({name: run.record.get(name) for name in names}))
        for names in (DATA, REWARDS, VERSIONS)
    )
    return (recipe, *of_record)


def _values(resolved: Mapping[str, Any], section: str, prefix: str) -> dict[str, Any]:
    entries = (resolved.get(section) or {}).items()
    return {prefix + name: entry.get("value") for name, entry in entries}


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, inner
