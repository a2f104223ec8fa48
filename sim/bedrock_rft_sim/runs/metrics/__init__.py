"""From a step's rollouts to the metric table, and from the table to every other surface's words.

Pure: no file, no clock, no model. `bedrock_rft_sim.contract.metrics` says what each name means.
"""

from __future__ import annotations

from bedrock_rft_sim.runs.metrics.finite import drop_non_finite, is_number
from bedrock_rft_sim.runs.metrics.step import step_metrics
from bedrock_rft_sim.runs.metrics.translate import mantle_event, nova_csv_row

__all__ = ["drop_non_finite", "is_number", "mantle_event", "nova_csv_row", "step_metrics"]
