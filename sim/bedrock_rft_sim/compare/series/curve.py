"""The one type for metric series, and how single values grow into it.

A value is a finite number; what is missing is absent. Where a source names a step twice, as a
resumed job does, the later value wins and the step is counted. What can't be read is left out,
counted and shown; nothing beside it is lost.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from bedrock_rft_sim.contract.metrics import metric
from bedrock_rft_sim.errors import DataError

Kind = Literal[
    "run", "mantle", "nova-csv", "verl-log", "hyperpod-log", "trl", "step-lines",
    "tensorboard-csv", "wandb-csv",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

STEP_NAMES: Final = (
    "global_step", "train/global_step", "training/global_step", "trainer/global_step", "step",
    "Step", "_step",
)  # fmt: skip
"""What numbers a training step, the surest first: a tracker's own `_step` may count its calls."""
COUNTERS: Final = {*STEP_NAMES, "step_number", "total_steps"}
"""What names a step, or how many there are, and is no metric."""
LISTED = 8
"""Names that a note spells out before it only counts."""

_WRAPPED: Final = re.compile(
    r"(?:(?:np|numpy|torch|jnp|jax)\.)?(?:float|int|bfloat|uint|tensor|array|Array|Tensor)\d*"
    r"\(\[?\s*([^][(),\s]+)\s*\]?(?:,[^()]*)?\)"
)
"""A number as NumPy or PyTorch spell it: np.float64(0.4), tensor(0.4, device='cuda:0')."""

Naming = Callable[[str], str | None]
"""Our name for a source's own, or None."""
Order = tuple[float, str]
"""When a value was written, and what decides between two of the same time."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of one run: strictly rising steps, and a finite value at each."""

    metric: str
    """The inner name (`contract.metrics`), or the source's own where we know none."""
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """Every series that one source holds about one run."""

    source: str
    """The path, with the run's name behind a # where a file holds several runs."""
    kind: Kind
    series: Mapping[str, Curve]
    total_steps: int | None = None
    """Steps planned, or None where the source does not say."""
    prompts_per_step: int | None = None
    unknown: tuple[str, ...] = ()
    """Series kept under the source's own names, because the metric table has none for them."""
    repeated_steps: int = 0
    """Steps that the source names more than once; the last by time is kept."""
    notes: tuple[str, ...] = ()
    """What a reader should know: values that are no numbers, a half-written last line."""

    @property
    def name(self) -> str:
        """Return what a legend calls the run: the last part of its source."""
        return self.source.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def last_step(self) -> int:
        """Return the last step that has a value of any metric."""
        return max((curve.steps[-1] for curve in self.series.values()), default=0)


@dataclass
class Gathering:
    """Values on their way to becoming `Curves`."""

    kind: Kind
    total_steps: int | None = None
    prompts_per_step: int | None = None
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Lines that can't be read: where each stands, and what is wrong with it."""
    _values: dict[str, dict[int, tuple[Order, float]]] = field(default_factory=dict)
    """Under the source's own names."""
    _inner: dict[str, str] = field(default_factory=dict)
    _repeated: set[int] = field(default_factory=set)
    _no_numbers: Counter[str] = field(default_factory=Counter)
    _first_text: str = ""
    _not_finite: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        step: object,
        values: Iterable[tuple[str, object]],
        naming: Naming,
        *,
        order: Order,
        where: str,
    ) -> None:
        """Take what a source says of a step; without a step from 0 the line is left out.

        Raises:
            DataError: a metric that can be compared is not finite.
        """
        at = step_number(step)
        if at is None:
            self.leave_out(where, f"the step is no whole number from 0: {str(step)[:60]!r}")
            return
        for name, value in values:
            if name in COUNTERS or value is None or value == "":
                continue
            inner, found = naming(name), spelt(value)
            if inner is not None:
                self._inner[name] = inner
            if found is None:
                self._no_numbers[name] += 1
                self._first_text = self._first_text or f"{str(value)[:60]!r} at {where}"
            elif math.isfinite(found):
                self._keep(name, at, order, found)
            elif inner is not None and metric(inner).comparable != "no":
                raise _not_finite(name, value, at, where)
            else:
                self._not_finite.setdefault(name, where)

    def leave_out(self, where: str, found: str) -> None:
        """Count a line that can't be read; the first is shown."""
        self.unread.append(f"{where}: {found}")

    def plan(self, total: object) -> None:
        """Take the number of steps that the source plans; the largest it names counts."""
        planned = number(total)
        if planned is not None:
            self.total_steps = max(self.total_steps or 0, int(planned))

    def _keep(self, name: str, step: int, order: Order, value: float) -> None:
        series = self._values.setdefault(name, {})
        if step in series:
            self._repeated.add(step)
        if step not in series or order >= series[step][0]:
            series[step] = (order, value)

    def curves(self, source: str) -> Curves:
        """Return the series in the order of their steps.

        Raises:
            DataError: not one value was found.
        """
        if not self._values:
            raise DataError(
                "holds no metric values",
                where=source,
                expected="at least one training step",
                found="; ".join([f"none, read as {self.kind}", *self._about_left_out()]),
                hint="a job that has just started has no values yet; otherwise check the file",
            )
        named = self._under_our_names()
        series = {}
        for name, points in named.items():
            steps = tuple(sorted(points))
            series[name] = Curve(name, steps, tuple(points[step][1] for step in steps))
        return Curves(
            source=source,
            kind=self.kind,
            series=series,
            total_steps=self.total_steps,
            prompts_per_step=self.prompts_per_step,
            unknown=tuple(name for name in named if name not in self._inner.values()),
            repeated_steps=len(self._repeated),
            notes=(*self.notes, *self._about_left_out()),
        )

    def _under_our_names(self) -> dict[str, dict[int, tuple[Order, float]]]:
        """Rename what we know; two names of one metric that meet at a step stay as they are."""
        spellings: dict[str, list[str]] = {}
        for name in self._values:
            spellings.setdefault(self._inner.get(name, name), []).append(name)
        named: dict[str, dict[int, tuple[Order, float]]] = {}
        for inner, own in spellings.items():
            steps = Counter(step for name in own for step in self._values[name])
            if max(steps.values()) > 1:
                named |= {name: self._values[name] for name in own}
                if inner not in own:
                    self.notes.append(f"{listed(own)} could each be {inner}: none is compared")
            else:
                named[inner] = {at: one for name in own for at, one in self._values[name].items()}
        return named

    def _about_left_out(self) -> list[str]:
        notes = []
        if self.unread:
            lines = "1 line" if len(self.unread) == 1 else f"{len(self.unread)} lines"
            notes.append(f"{lines} left out that can't be read, the first {self.unread[0]}")
        if self._no_numbers:
            counted = [f"{name} ({count})" for name, count in self._no_numbers.items()]
            notes.append(
                f"values that are no numbers were left out of: {listed(counted)}; the first is "
                f"{self._first_text}"
            )
        if self._not_finite:
            first = next(iter(self._not_finite.values()))
            names = listed(list(self._not_finite))
            notes.append(f"values that are not finite were left out of: {names} (first at {first})")
        return notes


def listed(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _not_finite(name: str, value: object, step: int, where: str) -> DataError:
    return DataError(
        f"{name} is not finite",
        where=where,
        expected="a finite number, or nothing where there is no value",
        found=f"{str(value)[:60]!r} at step {step}",
        hint="a run whose values are not finite has failed; cut the file before this step to "
        "compare what came before",
    )


def number(value: object) -> float | None:
    """Return the finite number that the value is or spells, else None."""
    found = spelt(value)
    return found if found is not None and math.isfinite(found) else None


def spelt(value: object) -> float | None:
    """Return the number that the value is or spells, finite or not; None for any other text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        wrapped = _WRAPPED.fullmatch(value.strip())
        value = wrapped[1] if wrapped else value
        if "_" in value:  # Python reads 1_000, no file format writes it
            return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def step_number(value: object) -> int | None:
    """Return the step that the value is or spells, a whole number from 0; else None."""
    found = number(value)
    return None if found is None or found < 0 or found != int(found) else int(found)
