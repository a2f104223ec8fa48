"""Read a sweep file: a base recipe, axes by dotted path, and how to walk them.

It reads the same strict YAML as a recipe and complains the same way. Whether Bedrock would take
the values is checked in `bedrock_rft_sim.sweep.plan`, once the recipes they make can be read.
Sources: the metric names are those of `bedrock_rft_sim.contract.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import expanded
from bedrock_rft_sim.recipe.load import read_text
from bedrock_rft_sim.recipe.reader import Document, read_document
from bedrock_rft_sim.recipe.shipped import find_sweep, is_bare
from bedrock_rft_sim.recipe.wording import Keys, Plain, described, did_you_mean, dotted

Mode = Literal["one-factor", "grid", "search"]
Metric = Literal["validation_rewards_mean", "critic_rewards_mean"]
SEED: Final = "local.seed"
TRIALS: Final = 20
CONFIRM_LEAST: Final = 2


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two ends, both included; for a search only."""

    low: float
    high: float
    log: bool

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting that is varied."""

    path: str
    """Dotted, as `--set` takes it."""
    values: tuple[Plain, ...] | Range
    line: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def ends(self) -> tuple[Plain, ...]:
        """Every listed value, or the two ends of the range."""
        if isinstance(self.values, Range):
            return (self.values.low, self.values.high)
        return self.values


@dataclass(frozen=True, slots=True)
class Pruner:
    """When a search gives up on a trial: below the median of the trials before it."""

    startupTrials: int = 4
    """Trials that are never given up."""
    warmupSteps: int = 1
    """Training steps before which no trial is given up."""


@dataclass(frozen=True, slots=True)
class SweepFile:
    """A sweep as written."""

    path: Path
    text: str
    recipe: str | Path
    """A shipped recipe's bare name, or a file."""
    axes: tuple[Axis, ...]
    set: tuple[tuple[str, Plain], ...] = ()
    """Changes to the base recipe that every point shares, by dotted path."""
    mode: Mode = "one-factor"
    seeds: tuple[int, ...] | None = None
    """None: the seed of the recipe."""
    metric: Metric = "validation_rewards_mean"
    """Validation: its last value. Training reward: the mean of the last fifth of the steps."""
    allow_refused: bool = False
    """Whether values that Bedrock would refuse may be rehearsed."""
    trials: int = TRIALS
    search_seed: int = 0
    pruner: Pruner | None = Pruner()
    confirm: tuple[int, ...] | None = field(default=None, repr=False)
    """Fresh seeds for the best setting and the centre; outside `repr`, which names a study."""

    def where(self, axis: Axis) -> str:
        """Name the file and the line of an axis."""
        return f"{self.path}:{axis.line}"


def read_sweep(source: str | Path, *, seeds: tuple[int, ...] | None = None) -> SweepFile:
    """Read a shipped sweep by its bare name, or a file; `seeds` replace the file's.

    Raises:
        RecipeError: it can't be read, or asks for something that can't be done.
    """
    path = find_sweep(source) if isinstance(source, str) and is_bare(source) else Path(source)
    text = read_text(path, "sweep")
    found = _Reading(path, read_document(text, name=str(path))).sweep(text)
    return found if seeds is None else replace(found, seeds=seeds)


KEYS: Final = ("recipe", "set", "mode", "axes", "seeds", "confirm", "metric", "allowRefused")
SEARCH_KEYS: Final = ("trials", "searchSeed", "pruner")


@dataclass(frozen=True)
class _Reading:
    """The document on its way to a `SweepFile`, with the place of every complaint."""

    path: Path
    document: Document

    def sweep(self, text: str) -> SweepFile:
        data = self._mapping((), self.document.data, (*KEYS, *SEARCH_KEYS))
        for key in ("recipe", "axes"):
            if key not in data:
                raise RecipeError(f"missing key {key}", where=self._where(()), expected=key)
        mode: Mode = self._choice(data, "mode", get_args(Mode), "one-factor")
        for key in SEARCH_KEYS:
            if key in data and mode != "search":
                self._refuse((key,), "used without a search", "mode: search", mode)
        return SweepFile(
            path=self.path,
            text=text,
            recipe=self._recipe(data["recipe"]),
            axes=self._axes(data["axes"], mode),
            set=self._set(data.get("set", {})),
            mode=mode,
            seeds=self._all_seeds(data),
            metric=self._choice(data, "metric", get_args(Metric), get_args(Metric)[0]),
            allow_refused=self._flag(("allowRefused",), data.get("allowRefused", False)),
            trials=self._whole(("trials",), data.get("trials", TRIALS), least=1),
            search_seed=self._whole(("searchSeed",), data.get("searchSeed", 0), least=0),
            pruner=self._pruner(data),
            confirm=self._confirm(data["confirm"]) if "confirm" in data else None,
        )

    def _where(self, keys: Keys) -> str:
        return f"{self.path}:{self.document.line(keys)}"

    def _refuse(
        self, keys: Keys, what: str, expected: str, found: Plain, hint: str | None = None
    ) -> None:
        raise RecipeError(
            f"{what} {dotted(keys)}".strip(),
            where=self._where(keys),
            expected=expected,
            found=described(found),
            hint=hint,
        )

    def _mapping(self, keys: Keys, data: Plain, known: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(data, dict):
            self._refuse(keys, "wrong type", "a mapping with " + ", ".join(known), data)
        for key in data:
            if key not in known:
                raise RecipeError(
                    f"unknown key {dotted((*keys, key))}",
                    where=self._where((*keys, key)),
                    expected="one of " + ", ".join(known),
                    found=key,
                    hint=did_you_mean(key, known),
                )
        return dict(data)

    def _choice(
        self, data: Mapping[str, Any], key: str, known: tuple[str, ...], default: str
    ) -> Any:
        value = data.get(key, default)
        if value not in known:
            hint = did_you_mean(value, known) if isinstance(value, str) else None
            self._refuse((key,), "unusable value", "one of " + ", ".join(known), value, hint)
        return value

    def _flag(self, keys: Keys, value: Plain) -> bool:
        if not isinstance(value, bool):
            self._refuse(keys, "wrong type", "true or false", value)
        return bool(value)

    def _whole(self, keys: Keys, value: Plain, *, least: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._refuse(keys, "unusable value", f"a whole number from {least}", value)
        return int(value)

    def _recipe(self, value: Plain) -> str | Path:
        if not isinstance(value, str) or not value:
            self._refuse(("recipe",), "wrong type", "a shipped recipe's name or a path", value)
        return value if is_bare(value) else self.path.parent / expanded(value)

    def _all_seeds(self, data: Mapping[str, Any]) -> tuple[int, ...] | None:
        """Return the seeds, which may also be written as an axis."""
        as_axis = isinstance(data["axes"], dict) and SEED in data["axes"]
        if as_axis and "seeds" in data:
            self._refuse(("axes", SEED), "the seeds are given twice,", "seeds: or this", SEED)
        if as_axis:
            return self._seeds(("axes", SEED), data["axes"][SEED])
        return self._seeds(("seeds",), data["seeds"]) if "seeds" in data else None

    def _confirm(self, value: Plain) -> tuple[int, ...]:
        found = self._seeds(("confirm",), value)
        if len(found) < CONFIRM_LEAST:
            expected = "at least two seeds, since one shows no spread"
            self._refuse(("confirm",), "unusable value", expected, value)
        return found

    def _seeds(self, keys: Keys, value: Plain) -> tuple[int, ...]:
        listed = self._list(keys, value, "a list of whole numbers such as [0, 1, 2]")
        return tuple(self._whole((*keys, at), seed, least=0) for at, seed in enumerate(listed))

    def _list(self, keys: Keys, value: Plain, expected: str) -> tuple[Plain, ...]:
        """Return a list that holds each value once."""
        if not isinstance(value, list) or not value:
            self._refuse(keys, "wrong type", expected, value)
        for at, each in enumerate(value):
            if each in value[:at] and type(each) in map(type, value[:at]):
                self._refuse((*keys, at), "twice the same value", "each value once", each)
        return tuple(value)

    def _set(self, value: Plain) -> tuple[tuple[str, Plain], ...]:
        if not isinstance(value, dict):
            self._refuse(("set",), "wrong type", "dotted paths, each with its value", value)
        if SEED in value:
            self._refuse(("set", SEED), "the seed is not set here,", "seeds: [0, 1, 2]", SEED)
        return tuple(value.items())

    def _axes(self, data: Plain, mode: Mode) -> tuple[Axis, ...]:
        if not isinstance(data, dict) or not data:
            self._refuse(("axes",), "wrong type", "dotted paths, each with its values", data)
        found = tuple(self._axis(path, data[path], mode) for path in data if path != SEED)
        if mode == "search" and not found:
            self._refuse(("axes",), "nothing to search in", f"an axis beside {SEED}", data)
        return found

    def _axis(self, path: str, value: Plain, mode: Mode) -> Axis:
        keys: Keys = ("axes", path)
        line = self.document.line(keys)
        if isinstance(value, dict):
            if mode != "search":
                self._refuse(keys, "a range outside a search", "a list of values", value)
            return Axis(path, self._range(keys, value), line)
        return Axis(path, self._list(keys, value, "a list of values"), line)

    def _range(self, keys: Keys, value: Plain) -> Range:
        data = self._mapping(keys, value, ("low", "high", "log"))
        for key in ("low", "high"):
            number = data.get(key)
            if not isinstance(number, int | float) or isinstance(number, bool):
                self._refuse((*keys, key), "wrong type", "a number", number)
        log = self._flag((*keys, "log"), data.get("log", False))
        low, high = data["low"], data["high"]
        if low >= high:
            self._refuse((*keys, "high"), "unusable value", f"more than low, {low}", high)
        if log and low <= 0:
            self._refuse((*keys, "low"), "unusable value", "more than 0, with log: true", low)
        return Range(low, high, log)

    def _pruner(self, data: Mapping[str, Any]) -> Pruner | None:
        value = data.get("pruner", {})
        if value == "none":
            return None
        keys: Keys = ("pruner",)
        if not isinstance(value, dict):
            self._refuse(keys, "unusable value", "none, or startupTrials and warmupSteps", value)
        found = self._mapping(keys, value, ("startupTrials", "warmupSteps"))
        return Pruner(**{n: self._whole((*keys, n), v, least=0) for n, v in found.items()})
