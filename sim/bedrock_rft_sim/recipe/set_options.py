"""Apply `--set a.b.c=value` to what was read, remembering where each value came from.

Deliberately leaves judging keys and values to the checks that follow: a misspelt key given here
gets the same message as one in the file. Paths given here are relative to the current folder.
Sources: this project's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import expanded, real
from bedrock_rft_sim.recipe.reader import DEPTH_MAX, read_scalar
from bedrock_rft_sim.recipe.shipped import is_bare, is_shipped_reward
from bedrock_rft_sim.recipe.wording import Keys, Plain, described, did_you_mean, dotted

_FILES: Final = frozenset(
    {("local", name) for name in ("trainingData", "validationData", "reward", "alsoGrade")}
)


def apply_sets(data: dict[str, Any], sets: Sequence[str]) -> dict[Keys, str]:
    """Change `data` in place; return the --set behind each changed path."""
    behind: dict[Keys, str] = {}
    for text in sets:
        where = f"--set {text}"
        path, equals, value_text = text.partition("=")
        keys = tuple(path.strip().split("."))
        if not equals or not all(keys):
            raise RecipeError(
                "not an assignment",
                where=where,
                expected="a dotted path, =, a value",
                found=text,
                hint="for example --set local.seed=1",
            )
        if len(keys) > DEPTH_MAX:
            at_most = f"at most {DEPTH_MAX} levels"
            raise RecipeError("nested too deep", where=where, expected=at_most)
        value = _from_here(keys, read_scalar(value_text, where=where))
        behind |= dict.fromkeys(place(data, keys, value, where=where), where)
    return behind


def _from_here(keys: Keys, value: Plain) -> Plain:
    if isinstance(value, list):
        return [_from_here(keys, each) for each in value]
    if isinstance(value, str) and _is_path(keys, value):
        return str(real(expanded(value)))
    return value


def _is_path(keys: Keys, value: str) -> bool:
    if keys == ("local", "model"):  # a Hub id has a slash too, so only what looks like nothing else
        return value.startswith((".", "~")) and not is_bare(value)
    if keys[:2] in {("local", "reward"), ("local", "alsoGrade")}:
        return not is_shipped_reward(value, base=Path())
    return keys[:2] in _FILES and not is_bare(value)


def place(data: dict[str, Any], keys: Sequence[str], value: Plain, *, where: str) -> list[Keys]:
    """Put the value in its place and list the paths that exist because of it.

    Raises:
        RecipeError: the path leads through something that has no keys, or past the end of a list.
    """
    holder: Plain = data
    placed: Keys = ()
    made: list[Keys] = []
    for key in keys[:-1]:
        step = _step(holder, key, placed, where=where)
        placed = (*placed, step)
        if isinstance(holder, dict) and holder.get(step) is None:
            holder[step] = {}
            made.append(placed)
        holder = holder[step]
    last = _step(holder, keys[-1], placed, where=where)
    holder[last] = value
    return [*made, (*placed, last)]


def _step(holder: Plain, key: str, placed: Keys, *, where: str) -> str | int:
    if isinstance(holder, dict):
        return key
    if isinstance(holder, list):
        if key.isdecimal() and int(key) < len(holder):
            return int(key)
        expected = f"a position from 0 to {len(holder) - 1}" if holder else "entries; it is empty"
        raise RecipeError(
            f"no entry {key} in {dotted(placed)}", where=where, expected=expected, found=key
        )
    raise RecipeError(
        f"{dotted(placed)} has no keys below it",
        where=where,
        expected="a path to a single value",
        found=described(holder),
        hint=did_you_mean(key, [str(placed[-1])]),
    )
