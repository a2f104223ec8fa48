"""The one type for metric series, and how single values grow into it.

A value is a finite number; what is missing is absent. Where a source names a step twice, as a
resumed job does, the later value wins and the step is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from bedrock_rft_sim.contract.metrics import metric
from bedrock_rft_sim.errors import DataError

Kind = Literal[
    "run", "mantle", "nova-csv", "verl-log", "hyperpod-log", "trl", "step-lines",
    "tensorboard-csv", "wandb-csv",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

COUNTERS: Final = {"step", "total_steps", "step_number", "global_step", "training/global_step"}
"""What names a step, or how many there are, and is no metric."""
LISTED = 8
"""Names that a note spells out before it only counts."""

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
    _values: dict[str, dict[int, tuple[Order, float]]] = field(default_factory=dict)
    _unknown: dict[str, None] = field(default_factory=dict)
    _repeated: set[int] = field(default_factory=set)
    _no_numbers: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        step: int,
        values: Iterable[tuple[str, object]],
        known: Mapping[str, str],
        *,
        order: Order,
        where: str,
    ) -> None:
        """Take what a source says of a step; `known` holds our names for its own, where known.

        Raises:
            DataError: a metric that can be compared has a value that is no finite number.
        """
        for name, value in values:
            if name in COUNTERS or value is None or value == "":
                continue
            inner, found = known.get(name), number(value)
            if found is not None:
                self._keep(inner or name, step, order, found)
                if inner is None:
                    self._unknown.setdefault(name)
            elif inner is not None and metric(inner).comparable != "no":
                raise DataError(
                    f"{name} is no finite number",
                    where=where,
                    expected="a number, or nothing where there is no value",
                    found=f"{str(value)[:60]!r} at step {step}",
                    hint="a run whose values are not finite has failed; cut the file before this "
                    "step to compare what came before",
                )
            else:
                self._no_numbers.setdefault(name, where)

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
                found=f"none, read as {self.kind}",
                hint="a job that has just started has no values yet; otherwise check the file",
            )
        series = {}
        for name, points in self._values.items():
            steps = tuple(sorted(points))
            series[name] = Curve(name, steps, tuple(points[step][1] for step in steps))
        return Curves(
            source=source,
            kind=self.kind,
            series=series,
            total_steps=self.total_steps,
            prompts_per_step=self.prompts_per_step,
            unknown=tuple(name for name in self._unknown if name in series),
            repeated_steps=len(self._repeated),
            notes=(*self.notes, *self._about_left_out()),
        )

    def _about_left_out(self) -> list[str]:
        if not self._no_numbers:
            return []
        names, first = list(self._no_numbers), next(iter(self._no_numbers.values()))
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        shown = ", ".join(names[:LISTED]) + more
        return [f"values that are no finite numbers were left out of: {shown} (first at {first})"]


def number(value: object) -> float | None:
    """Return the finite number that the value is or spells, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and "_" in value:  # Python reads 1_000, no file format writes it
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def step_number(value: object, *, where: str) -> int:
    """Return the step that the value is or spells.

    Raises:
        DataError: it is no whole number from 0.
    """
    found = number(value)
    if found is None or found < 0 or found != int(found):
        raise DataError(
            "the step is no whole number",
            where=where,
            expected="a step from 0",
            found=repr(value)[:60],
            hint="check whether the file is what you meant, or mend the line",
        )
    return int(found)
