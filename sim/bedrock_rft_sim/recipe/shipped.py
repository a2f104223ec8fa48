"""Find what came with the package by its bare name, from a checkout and from a wheel alike.

A bare name is a shipped thing, anything else a path. Only where no reward of that name is shipped,
a folder of that name is meant.
Sources: this project's packaging.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.wording import did_you_mean

BUILT_IN: Final = ("problems", "orders")
"""The generators that can stand in for a data file."""


def is_bare(name: str) -> bool:
    """Whether this is a shipped name: no slash, no suffix."""
    is_counted = name.partition(":")[0] in BUILT_IN and ":" in name
    return is_counted or not any(mark in name for mark in ("/", "\\", "."))


def is_shipped_reward(name: str, *, base: Path) -> bool:
    """Whether this can only be a shipped reward: bare, and no folder of that name is in `base`."""
    return is_bare(name) and (name in shipped_rewards() or not (base / name).is_dir())


def shipped_recipes() -> dict[str, Path]:
    """List the recipes that came with the package, by bare name."""
    return {path.stem: path for path in sorted(_shipped("configs").glob("*.yaml"))}


def shipped_rewards() -> dict[str, Path]:
    """List the rewards that came with the package, by bare name."""
    return {path.stem: path for path in sorted(_shipped("rewards").glob("[!_]*.py"))}


def shipped_sweeps() -> dict[str, Path]:
    """List the sweeps that came with the package, by bare name."""
    return {path.stem: path for path in sorted(_shipped("configs").glob("sweeps/*.yaml"))}


def reward_name(reward: str) -> str:
    """Return what a reward is called: its shipped name, or that of its file without the suffix."""
    return reward if is_bare(reward) else Path(reward).stem


def is_shipped(path: Path) -> bool:
    """Whether a file came with the package, so that what it names stands elsewhere."""
    return path.resolve().is_relative_to(_shipped("configs").resolve())


def find_recipe(name: str) -> Path:
    """Find a shipped recipe."""
    return _find(name, shipped_recipes(), kind="recipe")


def find_sweep(name: str) -> Path:
    """Find a shipped sweep."""
    return _find(name, shipped_sweeps(), kind="sweep")


def find_reward(name: str, *, where: str | None = None) -> Path:
    """Find a shipped reward; `where` is the place that names it."""
    return _find(name, shipped_rewards(), kind="reward", where=where)


def _find(name: str, known: dict[str, Path], *, kind: str, where: str | None = None) -> Path:
    if name in known:
        return known[name]
    suffix = ".py" if kind == "reward" else ".yaml"
    raise RecipeError(
        f"no {kind} of that name is shipped",
        where=where,
        expected="one of " + ", ".join(known) if known else "a path",
        found=name,
        hint=did_you_mean(name, known) or f"a file of yours needs a slash or its {suffix}",
    )


def _shipped(name: str) -> Path:
    """Return a folder that the wheel carries inside the package and a checkout has at its top."""
    package = Path(__file__).resolve().parents[1]
    in_wheel = package / name
    return in_wheel if in_wheel.is_dir() else package.parents[1] / name
