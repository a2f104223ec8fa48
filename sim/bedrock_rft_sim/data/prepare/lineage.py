"""Where a row comes from: the id it goes by, the row at its root, the question it asks.

A row made from another carries the id of the row at the root (`parent_id`), so that a child of a
child stays in the family.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bedrock_rft_sim.data.prepare.rows import DataRow, content_text
from bedrock_rft_sim.data.prepare.worked import last_user_message, problem_of


def id_of(record: Mapping[str, Any], key: str = "id") -> str | None:
    """Return the id under the key; None where it is no string or an empty one."""
    value = record.get(key)
    return value if isinstance(value, str) and value else None


def name_of(row: DataRow) -> str:
    """Return the id that a row goes by: its own, else the one that its line gives it."""
    return id_of(row.record) or f"row-{row.line:06d}"


def parent_of(row: DataRow) -> str | None:
    """Return the id of the row at the root of one that was made from it; else None."""
    return id_of(row.record, "parent_id")


def root_of(row: DataRow) -> str:
    """Return the id of the row from which this one was made, at the root; else its own."""
    return parent_of(row) or name_of(row)


def question_of(row: DataRow) -> str:
    """Return the text by which two rows are the same question; empty where there is none."""
    problem = problem_of(row.record)
    if problem is not None:
        return problem.question
    message = last_user_message(row.record)
    return content_text(message.get("content")) if message else ""
