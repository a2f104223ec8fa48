"""Read and check RFT rows; split them, and drop those whose prompt is too long."""

from __future__ import annotations

from bedrock_rft_sim.data.inspection import Inspection, RuleFinding, count_findings
from bedrock_rft_sim.data.lines import MAX_LINE_BYTES, scan_file
from bedrock_rft_sim.data.reader import read_records, read_rows
from bedrock_rft_sim.data.record import text_of
from bedrock_rft_sim.data.row import Row, row_from_record
from bedrock_rft_sim.data.rules import RULES, Rule, violation
from bedrock_rft_sim.data.selection import drop_long, split_rows

__all__ = [
    "MAX_LINE_BYTES",
    "RULES",
    "Inspection",
    "Row",
    "Rule",
    "RuleFinding",
    "count_findings",
    "drop_long",
    "read_records",
    "read_rows",
    "row_from_record",
    "scan_file",
    "split_rows",
    "text_of",
    "violation",
]
