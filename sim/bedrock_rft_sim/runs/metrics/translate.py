"""The inner names in other surfaces' words: mantle's event data, Nova's CSV row.

It writes no file; which words belong to which name stands in `bedrock_rft_sim.contract.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bedrock_rft_sim.contract.events import metrics_event
from bedrock_rft_sim.contract.metrics import MANTLE_EVENT_KEYS, METRICS, NOVA_CSV_COLUMNS

_INNER_OF_KEY = {metric.mantle_key: metric.inner for metric in METRICS if metric.mantle_key}
_INNER_OF_COLUMN = {
    metric.nova_csv_column: metric.inner for metric in METRICS if metric.nova_csv_column
}


def mantle_data(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the eight keys of a mantle metrics event; what is unknown is None."""
    return {key: values.get(_INNER_OF_KEY[key]) for key in MANTLE_EVENT_KEYS}


def mantle_event(values: Mapping[str, Any], *, created_at: int | None = None) -> dict[str, Any]:
    """Return the whole job event for a training step's metrics."""
    return metrics_event(mantle_data(values), created_at=created_at)


def nova_csv_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return one row of step_wise_training_metrics.csv by column; what is unknown is None."""
    return {column: values.get(_INNER_OF_COLUMN[column]) for column in NOVA_CSV_COLUMNS}
