"""Read and check RFT rows; split them, and drop those whose prompt is too long."""

from __future__ import annotations

from bedrock_rft_sim.data.inspection import Inspection, count_findings
from bedrock_rft_sim.data.reader import read_records, read_rows
from bedrock_rft_sim.data.row import Row, row_from_record

__all__ = ["Inspection", "Row", "count_findings", "read_records", "read_rows", "row_from_record"]
