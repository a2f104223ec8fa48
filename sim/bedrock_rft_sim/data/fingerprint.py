"""A hash of rows by their content, whatever file they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from bedrock_rft_sim.data.row import Row


def rows_hash(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of the rows in order."""
    digest = hashlib.sha256()
    for row in rows:
        content = [row.id, list(row.messages), row.reference_answer, row.extra]
        digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()
