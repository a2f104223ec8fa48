"""Turn a sweep file into the recipes it asks for, and refuse what makes no sense before a step.

A setting is a set of changes to the base recipe; a point is a setting with a seed. Each point's
recipe is written out whole, so that `rft run` can repeat it alone.
"""

from __future__ import annotations

import copy
import io
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import Recipe, load_recipe, parse_recipe
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.recipe.shipped import is_bare
from bedrock_rft_sim.recipe.wording import Plain, shown
from bedrock_rft_sim.sweep.file import SEED, Axis, SweepFile
from bedrock_rft_sim.sweep.identity import identity_of
from bedrock_rft_sim.sweep.kinds import typed

Changes = dict[str, Plain]
"""Dotted path -> value; in the order of the axes."""

CENTRE: Final = "centre"
FILES: Final = ("trainingData", "validationData", "reward")
LABEL_MAX: Final = 70
RECIPES: Final = "recipes"


@dataclass(frozen=True, slots=True)
class Point:
    """One run to make."""

    changes: Changes
    seed: int
    recipe: Recipe
    text: str
    """Its recipe, for a file in the sweep's folder."""
    identity: str
    """The hash by which a finished run is known again."""

    @property
    def name(self) -> str:
        """The run's name: what is different, the seed, the beginning of the hash."""
        said = "_".join(
            f"{path.rpartition('.')[2]}-{value}" for path, value in self.changes.items()
        )
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", said or CENTRE)[:LABEL_MAX].strip("-.")
        return f"{safe}_seed-{self.seed}_{self.identity[:12]}"


class Plan:
    """The base recipe of a sweep, and the points that changes to it make."""

    def __init__(self, sweep: SweepFile, out: Path) -> None:
        """Read the base recipe and try every value of every axis on it.

        Raises:
            RecipeError: a path or a value can't be, or Bedrock would refuse it, or it changes
                nothing; or there is nothing to validate on.
        """
        self._folder = out / RECIPES
        base = load_recipe(sweep.recipe)
        self.sweep = replace(sweep, axes=tuple(typed(axis, base) for axis in sweep.axes))
        self._base_folder = base.folder
        self._data: dict[str, Any] = read_document(base.text, name=str(base.path)).data
        self._shared = dict(sweep.set)
        if self._shared:
            base = self._with_shared()
        self.seeds = sweep.seeds or (base.settings.seed,)
        self.base_seed = base.settings.seed
        self.centre: Changes = {}
        self._demand_metric(base)
        self._refuse_illegal(base, None)
        self._demand_fresh_seeds()
        for axis in self.sweep.axes:
            self._try(axis, base)

    def _with_shared(self) -> Recipe:
        """Change the base recipe for good."""
        for path, value in self._shared.items():
            try:
                _place(self._data, path.split("."), value)
                recipe = self._parsed(self.recipe_text({}, folder=self._folder))
            except RecipeError as error:
                raise _elsewhere(error, f"{self.sweep.path}, set", path, value) from error
        return recipe

    def settings(self) -> list[Changes]:
        """Return the settings of a one-factor sweep or a grid, the centre first.

        A value that is the base recipe's own is the centre, not another point.
        """
        axes = self.sweep.axes
        values = [axis.ends for axis in axes]
        if self.sweep.mode == "grid":
            made = [
                dict(zip((axis.path for axis in axes), each, strict=True))
                for each in itertools.product(*values)
            ]
        else:
            made = [{axis.path: value} for axis in axes for value in axis.ends]
        settings = [self.centre]
        for each in made:
            kept = self.without_base_values(each)
            if kept not in settings:
                settings.append(kept)
        return settings

    def without_base_values(self, changes: Changes) -> Changes:
        """Drop the changes that change nothing."""
        return {path: value for path, value in changes.items() if self.base_value(path) != value}

    def base_value(self, path: str) -> Plain:
        """Return what the base recipe says at a path; None where it says nothing."""
        found: Plain = self._data
        for key in path.split("."):
            if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict):
                found = found.get(key)
            else:
                return None
        return found

    def point(self, changes: Changes, seed: int) -> Point:
        """Return the point of a setting and a seed."""
        text = self.recipe_text({**changes, SEED: seed}, folder=self._folder)
        recipe = self._parsed(text)
        return Point(changes, seed, recipe, text, identity_of(recipe))

    def recipe_text(self, changes: Mapping[str, Plain], *, folder: Path) -> str:
        """Write the base recipe with changes, for a file that will stand in `folder`."""
        data = copy.deepcopy(self._data)
        for path, value in changes.items():
            _place(data, path.split("."), value)
        local = data["local"]
        for name in FILES:
            local[name] = self._seen_from(folder, name, local.get(name), changes)
        model = local["model"]
        if isinstance(model, str) and not is_bare(model) and self._is_folder(model, changes):
            local["model"] = self._seen_from(folder, "model", model, changes)
        data["local"] = {name: value for name, value in local.items() if value is not None}
        return as_yaml(data)

    def _seen_from(
        self, folder: Path, name: str, value: Plain, changes: Mapping[str, Plain]
    ) -> Plain:
        if not isinstance(value, str) or is_bare(value):
            return value
        home = self._home(name, changes)
        target = (home / Path(value).expanduser()).resolve()
        seen = os.path.relpath(target, folder.resolve())
        return seen if seen.startswith(".") else f"./{seen}"

    def _is_folder(self, model: str, changes: Mapping[str, Plain]) -> bool:
        return (self._home("model", changes) / Path(model).expanduser()).is_dir()

    def _home(self, name: str, changes: Mapping[str, Plain]) -> Path:
        """Return where a relative path starts: beside the sweep file if it is an axis's."""
        return (
            self.sweep.path.parent
            if f"local.{name}" in {**self._shared, **changes}
            else self._base_folder
        )

    def _parsed(self, text: str) -> Recipe:
        name = f"{self.sweep.recipe} with this sweep's values"
        return parse_recipe(text, name=name, path=self._folder / "point.yaml")

    def _try(self, axis: Axis, base: Recipe) -> None:
        seen = []
        for value in axis.ends:
            try:
                recipe = self._parsed(self.recipe_text({axis.path: value}, folder=self._folder))
            except RecipeError as error:
                raise _elsewhere(error, self.sweep.where(axis), axis.path, value) from error
            self._refuse_illegal(recipe, axis)
            seen.append(_meaning(recipe))
        if all(each == seen[0] for each in seen) and (
            len(seen) > 1 or seen[0] == _meaning(self._like(base))
        ):
            raise RecipeError(
                f"{axis.path} changes nothing in a rehearsal",
                where=self.sweep.where(axis),
                expected="an axis whose values train differently",
                found=", ".join(shown(value) for value in axis.ends),
                hint=f"local.overrides.{axis.name} may stand in its way"
                if axis.name in base.overrides
                else "take this axis out",
            )

    def _like(self, base: Recipe) -> Recipe:
        return self._parsed(self.recipe_text({SEED: base.settings.seed}, folder=self._folder))

    def _refuse_illegal(self, recipe: Recipe, axis: Axis | None) -> None:
        if not recipe.refusals or self.sweep.allow_refused:
            return
        refusal = recipe.refusals[0]
        raise RecipeError(
            f"Bedrock would refuse {refusal.path}",
            where=self.sweep.where(axis) if axis else str(recipe.path or recipe.name),
            expected=f"{refusal.rule} ({refusal.source})",
            found=shown(refusal.value),
            hint="take a value that Bedrock allows, or say allowRefused: true to rehearse it anyway"
            if axis
            else refusal.remedy or refusal.hint,
        )

    def _demand_fresh_seeds(self) -> None:
        stale = [seed for seed in self.sweep.confirm or () if seed in self.seeds]
        if stale:
            raise RecipeError(
                "a choice is not confirmed by the seeds that it was made on",
                where=f"{self.sweep.path}, confirm",
                expected=f"seeds other than {', '.join(map(str, self.seeds))}",
                found=", ".join(map(str, stale)),
                hint="take fresh ones; they are used for nothing else",
            )

    def _demand_metric(self, base: Recipe) -> None:
        has_validation = base.validation_source or base.settings.validation_split
        if self.sweep.metric == "validation_rewards_mean" and not has_validation:
            raise RecipeError(
                "there is no validation reward to compare by",
                where=base.where("local.validationData"),
                expected="validation data",
                found="none",
                hint="give local.validationData, or say metric: critic_rewards_mean in the sweep",
            )


def _elsewhere(error: RecipeError, where: str, path: str, value: Plain) -> RecipeError:
    """Say of a recipe's error which line of the sweep is behind it."""
    return RecipeError(
        f"{path}: {shown(value)} makes no recipe: {error.what}",
        where=where,
        expected=error.expected,
        found=error.found,
        hint=error.hint,
    )


def as_yaml(data: Mapping[str, Any]) -> str:
    """Write plain data as YAML 1.2 that `bedrock_rft_sim.recipe.reader` reads back unchanged."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100
    out = io.StringIO()
    yaml.dump(dict(data), out)
    return out.getvalue()


def described_changes(changes: Mapping[str, Plain]) -> str:
    """Say what is different from the base recipe, by the last part of each path."""
    if not changes:
        return CENTRE
    return ", ".join(f"{path.rpartition('.')[2]} {plain(v)}" for path, v in changes.items())


def plain(value: Plain) -> str:
    """Write a value for a table."""
    return f"{value:g}" if isinstance(value, float) else shown(value).strip("'\"")


def _meaning(recipe: Recipe) -> tuple[Any, ...]:
    local = recipe.local.model_dump(mode="json")
    return asdict(recipe.settings), local, recipe.model


def _place(data: Plain, keys: Sequence[str], value: Plain) -> None:
    for key in keys[:-1]:
        step: Any = int(key) if isinstance(data, list) and key.isdecimal() else key
        if isinstance(data, dict):
            below = data.setdefault(step, {})
            if below is None:
                data[step] = below = {}
        else:
            below = _entry(data, step)
        data = below
    last: Any = int(keys[-1]) if isinstance(data, list) and keys[-1].isdecimal() else keys[-1]
    if not isinstance(data, dict):
        _entry(data, last)
    data[last] = value


def _entry(data: Plain, key: Any) -> Plain:
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    raise RecipeError("no such place", expected="a path to a single value", found=str(key))
