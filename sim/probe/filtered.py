"""The training data without the prompts that the probe found dead, and a manifest of why.

A prompt that was not probed is kept. That all samples agreed is no proof that others would: the
manifest says how often a prompt left out could still be solved, or missed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.dataset import Row
from sim.probe.report import PromptResult
from sim.runfolder import disk

CONFIDENCE = 0.05


def write_filtered(
    path: Path, rows: Sequence[Row], results: Sequence[PromptResult], *, too_long: int
) -> dict[str, Any]:
    """Write the rows that are not dead, and beside them the manifest, which is returned.

    Raises:
        RunFolderError: the disk refuses.
    """
    dead = {result.id: result for result in results if result.kind != "mixed"}
    kept = [row for row in rows if row.id not in dead]
    manifest = {
        "kept": len(kept),
        "dropped_always_solved": sum(result.kind == "always" for result in dead.values()),
        "dropped_never_solved": sum(result.kind == "never" for result in dead.values()),
        "dropped_too_long": too_long,
        "kept_without_being_probed": len(rows) - len(results),
        "source": rows[0].source if rows else None,
        "dropped": [_reason(row, dead[row.id]) for row in rows if row.id in dead],
    }
    with disk.named_errors(path, "write the filtered data"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(_record(row), ensure_ascii=False) + "\n" for row in kept)
        disk.replace_file(path, lines.encode())
        disk.replace_file(manifest_path(path), (disk.dump(manifest, indent=2) + "\n").encode())
    return manifest


def manifest_path(path: Path) -> Path:
    """Return where the manifest of a filtered file stands."""
    return path.with_name(f"{path.name}.manifest.json")


def _record(row: Row) -> Mapping[str, Any]:
    reference = {} if row.reference_answer is None else {"reference_answer": row.reference_answer}
    return {"id": row.id, "messages": list(row.messages), **reference, **row.extra}


def _reason(row: Row, result: PromptResult) -> dict[str, Any]:
    # After n samples alike, a rate of the other kind up to 1 - 0.05^(1/n) is still plausible.
    still = 1 - CONFIDENCE ** (1 / result.samples)
    return {
        "id": row.id,
        "line": row.line,
        "why": f"{result.kind} solved in {result.samples} samples, all graded "
        f"{result.reward_mean:g}",
        "rate_of_other_grades_at_most": round(still, 4),
    }
