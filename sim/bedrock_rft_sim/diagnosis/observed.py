"""What a probe or a run has shown that bears on the settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bedrock_rft_sim.diagnosis.evidence import Evidence
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.runs import Run, disk
from bedrock_rft_sim.stats.shares import percentile


@dataclass(frozen=True)
class Observed:
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


def read_observed(path: Path) -> Observed:
    """Read a run folder or the result of a probe.

    Raises:
        DataError: it is neither.
        RunFolderError: it can't be read.
    """
    return _of_run(path) if path.is_dir() else _of_probe(path)


def _of_probe(path: Path) -> Observed:
    record = disk.read_json(path)
    try:
        lengths = record["lengths"]
        return Observed(
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


def _of_run(path: Path) -> Observed:
    run = Run.open(path)
    evidence = Evidence(run.lines)
    lengths = [len(rollout.tokens) for _, rollouts in run.rollouts() for rollout in rollouts]
    group, mixed = run.setting("samples_per_prompt"), evidence.mean("local_groups_mixed")
    return Observed(
        source=f"run {run.folder.name}",
        answer_tokens_p99=percentile(lengths, 0.99) if lengths else None,
        cut_share=evidence.mean("local_truncated_share"),
        limit=run.setting("inference_max_tokens"),
        mixed_groups={} if mixed is None or group is None else {group: mixed},
        validation=tuple(evidence.points("validation_rewards_mean")),
    )
