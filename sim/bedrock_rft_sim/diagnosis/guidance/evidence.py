"""What a probe or a run has shown that bears on the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.runs import RunFolder, disk
from bedrock_rft_sim.stats.shares import mean, percentile


@dataclass(frozen=True)
class Evidence:
    """Observations; None or empty for what the source does not hold."""

    source: str
    """Which probe or run, in words."""
    answer_tokens_p99: float | None = None
    cut_share: float | None = None
    """Share of answers cut at `limit`."""
    limit: int | None = None
    """inferenceMaxTokens while it was seen."""
    mixed_groups: Mapping[int, float] = field(default_factory=dict)
    """Share of mixed groups, by samples per prompt."""
    validation: tuple[tuple[int, float], ...] = ()
    """Steps and validation rewards of a run, in order."""


def read_evidence(path: Path) -> Evidence:
    """Read a run folder or the result of a probe.

    Raises:
        DataError: it is neither.
        RunFolderError: it can't be read.
    """
    return _of_run(path) if path.is_dir() else _of_probe(path)


def _of_probe(path: Path) -> Evidence:
    record = disk.read_json(path)
    try:
        lengths = record["lengths"]
        return Evidence(
            source=f"probe {path.name}",
            answer_tokens_p99=lengths["percentiles"]["99"]["value"] if lengths else None,
            cut_share=lengths["cut"]["value"] if lengths else None,
            limit=record["max_tokens"],
            mixed_groups={
                int(size): share["value"]
                for size, share in record["mixed_groups"].items()
                if share is not None
            },
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            "no evidence here",
            where=str(path),
            expected="a run folder, or the .json that rft probe wrote",
            found="another file",
        ) from error


def _of_run(path: Path) -> Evidence:
    folder = RunFolder.open(path)
    settings: dict[str, Any] = folder.read_resolved()["settings"]
    lines = folder.read_metrics()
    lengths = [
        len(rollout.tokens)
        for step in folder.rollout_steps()
        for rollout in folder.read_rollouts(step)
    ]
    group = settings["samples_per_prompt"]["value"]
    mixed = _mean(lines, "local_groups_mixed")
    return Evidence(
        source=f"run {folder.name}",
        answer_tokens_p99=percentile(lengths, 0.99) if lengths else None,
        cut_share=_mean(lines, "local_truncated_share"),
        limit=settings["inference_max_tokens"]["value"],
        mixed_groups={} if mixed is None else {group: mixed},
        validation=tuple(
            (line["step"], line["validation_rewards_mean"])
            for line in lines
            if "validation_rewards_mean" in line
        ),
    )


def _mean(lines: list[dict[str, Any]], name: str) -> float | None:
    return mean(line[name] for line in lines if name in line)
