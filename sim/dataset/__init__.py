"""Read and check RFT rows; split them, and drop those whose prompt is too long."""

from __future__ import annotations

from sim.dataset.reader import MAX_LINE_BYTES, read_records, read_rows
from sim.dataset.row import Row, row_from_record
from sim.dataset.selection import count_finding, drop_long, split_rows

__all__ = [
    "MAX_LINE_BYTES",
    "Row",
    "count_finding",
    "drop_long",
    "read_records",
    "read_rows",
    "row_from_record",
    "split_rows",
]
