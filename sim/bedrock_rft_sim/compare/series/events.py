"""Curves of a bedrock-mantle job, from the events that `fine_tuning.jobs.list_events` returns.

Pages may come in any order and overlap: an event is known by its id. An event that is no metrics
event carries no values. Sources: aws-samples/amazon-bedrock-samples (the one published event);
openai Python library, type definitions of fine_tuning.jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import Curves, Gathering, number
from bedrock_rft_sim.compare.series.jsontext import Placed

EVENT: Final = "fine_tuning.job.event"
DEEPEST: Final = 3
"""Lists within lists: pages, the events of a page."""


def looks_like_events(placed: Iterable[Placed]) -> bool:
    """Whether the first thing in the values that is no list or page is a job event."""
    for _, value in placed:
        first = _first(value, DEEPEST)
        if first is not None:
            return first.get("object") == EVENT or {"message", "data"} <= set(first)
    return False


def _first(value: Any, depth: int) -> dict[str, Any] | None:
    inside = value.get("data") if isinstance(value, dict) else value
    if isinstance(inside, list):
        below = (_first(item, depth - 1) for item in inside) if depth else iter(())
        return next((found for found in below if found is not None), None)
    return value if isinstance(value, dict) else None


def read_events(placed: Iterable[Placed], source: str) -> Curves:
    """Return the curves in these pages, lists or lines of events.

    Raises:
        DataError: they hold no metric values, or a metric is not finite.
    """
    gathering = Gathering("mantle")
    seen: set[str] = set()
    pages: list[bool] = []
    for where, event in _events(placed, pages, gathering):
        identity = event.get("id")
        if isinstance(identity, str):
            if identity in seen:
                continue
            seen.add(identity)
        data, where = event.get("data"), f"{where}, event {identity}"
        if isinstance(data, dict) and "step" in data:
            order = (number(event.get("created_at")) or 0.0, str(identity))
            gathering.plan(data.get("total_steps"))
            gathering.add(data["step"], data.items(), names.INNER.get, order=order, where=where)
    if pages and all(pages):
        gathering.notes.append("every page says has_more: the last page is missing")
    return gathering.curves(source)


def _events(placed: Iterable[Placed], pages: list[bool], gathering: Gathering) -> Iterator[Placed]:
    for where, value in placed:
        if isinstance(value, list):
            inside = ((f"{where}, item {n}", item) for n, item in enumerate(value, start=1))
            yield from _events(inside, pages, gathering)
        elif isinstance(value, dict) and isinstance(value.get("data"), list):
            pages.append(bool(value.get("has_more")))
            yield from _events([(where, value["data"])], pages, gathering)
        elif isinstance(value, dict) and "message" in value:
            yield where, value
        else:
            gathering.leave_out(where, f"{repr(value)[:60]} is no job event")
