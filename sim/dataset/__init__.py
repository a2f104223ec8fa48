"""Read and check RFT rows; split them, and drop those whose prompt is too long."""

from __future__ import annotations

from sim.dataset.inspection import Finding, Inspection, count_findings
from sim.dataset.lines import MAX_LINE_BYTES, scan_file
from sim.dataset.reader import read_records, read_rows
from sim.dataset.record import text_of
from sim.dataset.row import Row, row_from_record
from sim.dataset.rules import RULES, Rule, violation
from sim.dataset.selection import drop_long, split_rows

__all__ = [
    "MAX_LINE_BYTES",
    "RULES",
    "Finding",
    "Inspection",
    "Row",
    "Rule",
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
