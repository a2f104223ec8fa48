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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import expanded, real
from bedrock_rft_sim.recipe import Recipe, load_recipe, parse_recipe
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.recipe.set_options import place
from bedrock_rft_sim.recipe.shipped import is_bare
from bedrock_rft_sim.recipe.wording import Plain, shown
from bedrock_rft_sim.sweep.file import SEED, Axis, Range, SweepFile
from bedrock_rft_sim.sweep.identity import identity_of

Changes = dict[str, Plain]
"""Dotted path -> value; in the order of the axes."""

CENTRE: Final = "centre"
MODEL: Final = "model"
FILES: Final = ("trainingData", "validationData", "reward", "alsoGrade", MODEL)
LABEL_MAX: Final = 70
RECIPES: Final = "recipes"


@dataclass(frozen=True, slots=True)
class Point:
    """One run to make."""

    changes: Changes
    seed: int
    recipe: Recipe
    identity: str
    """The hash by which a finished run is known again."""

    @property
    def name(self) -> str:
        """The run's name: what is different, the seed, the beginning of the hash."""
        label = "_".join(
            f"{path.rpartition('.')[2]}-{value}" for path, value in self.changes.items()
        )
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", label or CENTRE)[:LABEL_MAX].strip("-.")
        return f"{safe}_seed-{self.seed}_{self.identity[:12]}"


class SweepPlan:
    """The base recipe of a sweep, and the points that changes to it make."""

    def __init__(self, sweep: SweepFile, out: Path) -> None:
        """Read the base recipe and try every value of every axis on it.

        Raises:
            RecipeError: a path or a value can't be, or Bedrock would refuse it, or it changes
                nothing; or there is nothing to validate on.
        """
        self.sweep = sweep
        self._folder = out / RECIPES
        base = load_recipe(sweep.recipe)
        self._base_folder = base.folder
        self._data: dict[str, Any] = read_document(base.text, name=str(base.path)).data
        self._shared = dict(sweep.set)
        for path, value in sweep.set:
            base = self._tried(path, value, where=f"{sweep.path}, set")
            place(self._data, path.split("."), value, where=path)
        self.sweep = replace(sweep, axes=tuple(self.typed(axis) for axis in sweep.axes))
        self.seeds = sweep.seeds or (base.settings.seed,)
        self.centre: Changes = {}
        self._demand_metric(base)
        self._refuse_illegal(base, None)
        self._demand_fresh_seeds()
        for axis in self.sweep.axes:
            self._try(axis, base)

    def settings(self) -> list[Changes]:
        """Return the settings of a one-factor sweep or a grid, the centre first.

        A value that is the base recipe's own is the centre, not another point.
        """
        axes = self.sweep.axes
        if self.sweep.mode == "grid":
            paths = [axis.path for axis in axes]
            products = itertools.product(*(axis.ends for axis in axes))
            made = [dict(zip(paths, values, strict=True)) for values in products]
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
        recipe = self.recipe({**changes, SEED: seed})
        return Point(changes, seed, recipe, identity_of(recipe))

    def recipe(self, changes: Mapping[str, Plain]) -> Recipe:
        """Return the base recipe with changes, for a file in the sweep's folder of recipes."""
        text = self.recipe_text(changes, folder=self._folder)
        name = f"{self.sweep.recipe} with this sweep's values"
        return parse_recipe(text, name=name, path=self._folder / "point.yaml")

    def recipe_text(self, changes: Mapping[str, Plain], *, folder: Path) -> str:
        """Write the base recipe with changes, for a file that will stand in `folder`."""
        data = copy.deepcopy(self._data)
        for path, value in changes.items():
            place(data, path.split("."), value, where=path)
        local = {name: value for name, value in data["local"].items() if value is not None}
        for name in FILES:
            # A relative path of an axis or of `set` starts beside the sweep file.
            is_own = f"local.{name}" in {**self._shared, **changes}
            home = self.sweep.path.parent if is_own else self._base_folder
            if name in local:
                local[name] = _moved(local[name], home, folder, is_model=name == MODEL)
        return as_yaml({**data, "local": local})

    def typed(self, axis: Axis) -> Axis:
        """Write whole ends of a range as fractions where the setting takes what lies between.

        `{low: 0, high: 1}` of a weight is everything between, of a batch size it is 0 and 1.
        """
        values = axis.values
        if not isinstance(values, Range) or not values.whole:
            return axis
        try:
            self.recipe({axis.path: values.low + 0.5})
        except RecipeError:
            return axis
        return replace(axis, values=replace(values, low=float(values.low), high=float(values.high)))

    def _tried(self, path: str, value: Plain, *, where: str) -> Recipe:
        """Return the base recipe with a value; an error names the line of the sweep behind it."""
        try:
            return self.recipe({path: value})
        except RecipeError as error:
            what = f"{path}: {shown(value)} makes no recipe: {error.what}"
            raise error.restated(RecipeError, what=what, where=where) from error

    def _try(self, axis: Axis, base: Recipe) -> None:
        meanings = []
        for value in axis.ends:
            recipe = self._tried(axis.path, value, where=self.sweep.where(axis))
            self._refuse_illegal(recipe, axis)
            meanings.append(_meaning(recipe))
        if len(meanings) == 1:
            meanings.append(_meaning(self.recipe({SEED: base.settings.seed})))
        if all(each == meanings[0] for each in meanings):
            raise RecipeError(
                f"{axis.path} changes nothing in a rehearsal",
                where=self.sweep.where(axis),
                expected="an axis whose values train differently",
                found=", ".join(shown(value) for value in axis.ends),
                hint=f"local.overrides.{axis.name} may stand in its way"
                if axis.name in base.overrides
                else "take this axis out",
            )

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


def _moved(value: Plain, home: Path, folder: Path, *, is_model: bool) -> Plain:
    """Return a path, or a list of them, as seen from the folder; what is no path stays."""
    if isinstance(value, list):
        return [_moved(each, home, folder, is_model=is_model) for each in value]
    if not isinstance(value, str) or is_bare(value):
        return value
    target = real(home / expanded(value))
    return _seen_from(folder, target) if target.is_dir() or not is_model else value  # not a Hub id


def _seen_from(folder: Path, target: Path) -> str:
    seen = os.path.relpath(target, folder.resolve())
    return seen if seen.startswith(".") else f"./{seen}"


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
