"""From a step's rollouts to the metric table, and from the table to every other surface's words.

Pure: no file, no clock, no model. `sim.contract.metrics` says what each name means.
"""

from __future__ import annotations

from sim.metrics.finite import drop_non_finite
from sim.metrics.loss import actor_pg_loss, clip_fraction
from sim.metrics.signal import Verdict, learning_signal
from sim.metrics.step import step_metrics
from sim.metrics.translate import mantle_data, mantle_event, nova_csv_row

__all__ = [
    "Verdict",
    "actor_pg_loss",
    "clip_fraction",
    "drop_non_finite",
    "learning_signal",
    "mantle_data",
    "mantle_event",
    "nova_csv_row",
    "step_metrics",
]
