"""Which graphs a report has: the console's six under its titles, then the local ones.

A graph holds series of (step, value); a step without a value leaves a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bedrock_rft_sim.contract.metrics import HEALTHY_BANDS, METRICS, metric
from bedrock_rft_sim.runs.metrics import is_number

Lines = Sequence[Mapping[str, Any]]

CONSOLE_ORDER: Final = (
    "Training rewards",
    "Validation rewards",
    "Training episode lengths",
    "Validation episode lengths",
    "Policy entropy",
    "Gradient norm",
)
# Title -> metrics, by inner name; a metric that is a table gives one series per entry.
LOCAL_GRAPHS: Final = (
    ("Groups by grades", ("local_groups_mixed", "local_groups_all_right",
                          "local_groups_all_wrong")),
    ("Answers", ("local_positive_share", "local_truncated_share", "local_parse_failures")),
    ("Reward components", ("local_reward_components",)),
    ("Second opinions", ("local_also_graded",)),
    ("Validation, second opinions", ("local_validation_also_graded",)),
    ("Divergence from the reference", ("local_kl",)),
    ("Policy loss and advantages", ("actor_pg_loss", "critic_advantages_mean")),
    ("Grader latency", ("local_grader_latency_p50_s", "local_grader_latency_p95_s",
                        "local_grader_latency_max_s")),
    ("Time per step", ("local_seconds",)),
    ("Speed", ("local_tokens_per_second",)),
    ("Memory", ("local_peak_memory_mb",)),
)  # fmt: skip
SHORT_NAMES: Final = {
    "local_groups_mixed": "mixed",
    "local_groups_all_right": "all right",
    "local_groups_all_wrong": "all wrong",
    "local_positive_share": "graded above 0",
    "local_truncated_share": "truncated",
    "local_parse_failures": "no answer found",
    "actor_pg_loss": "policy loss",
    "critic_advantages_mean": "mean advantage",
    "local_grader_latency_p50_s": "median",
    "local_grader_latency_p95_s": "95th percentile",
    "local_grader_latency_max_s": "longest",
}


@dataclass(frozen=True, slots=True)
class GraphLine:
    """One line of a graph."""

    name: str
    steps: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class Graph:
    """One graph: a title, a unit, and its lines."""

    title: str
    unit: str
    """Empty where the number has none."""
    definition: str
    console: bool
    """Whether Bedrock's console has it too."""
    series: list[GraphLine]
    band: tuple[float, float] | None = None
    """Between which values AWS's own experiments moved, where that was asked for."""
    floor: float | None = None
    """What a script earns that never sees a reference, where rewards are drawn and it is known."""

    @property
    def sparse(self) -> bool:
        """Whether it is measured only now and then, so that its points should be marked."""
        return self.title.startswith("Validation")


def console_series(lines: Lines, *, bands: bool = False, floor: float | None = None) -> list[Graph]:
    """Return the console's graphs, in its order, empty ones included."""
    names = {metric.console_title: metric.inner for metric in METRICS if metric.console_title}
    graphs = [_graph(title, [names[title]], lines, console=True) for title in CONSOLE_ORDER]
    return [
        replace(
            each,
            band=HEALTHY_BANDS.get(names[each.title]) if bands else None,
            floor=floor if each.unit == "reward" else None,
        )
        for each in graphs
    ]


def local_series(lines: Lines) -> list[Graph]:
    """Return the local graphs that have any value."""
    graphs = (_graph(title, names, lines, console=False) for title, names in LOCAL_GRAPHS)
    return [graph for graph in graphs if graph.series]


def _graph(title: str, names: Sequence[str], lines: Lines, *, console: bool) -> Graph:
    unit, definitions, series = metric(names[0]).unit, [], []
    for name in names:
        short, definition = SHORT_NAMES.get(name), metric(name).definition
        definitions.append(f"{short}: {definition}" if short else definition)
        series += _series(lines, name, title if console else short or definition)
    return Graph(title, "" if unit == "1" else unit, "; ".join(definitions), console, series)


def _series(lines: Lines, name: str, label: str) -> list[GraphLine]:
    """Return the lines of one metric: one, or one for each entry where it is a table."""
    found: dict[str, GraphLine] = {}
    for line in lines:
        for key, value in _entries(line.get(name), label):
            series = found.setdefault(key, GraphLine(key, [], []))
            series.steps.append(line["step"])
            series.values.append(value)
    return list(found.values())


def _entries(value: object, title: str) -> Iterable[tuple[str, float]]:
    if isinstance(value, dict):
        yield from ((str(name), float(v)) for name, v in value.items() if is_number(v))
    elif is_number(value):
        yield title, float(value)
