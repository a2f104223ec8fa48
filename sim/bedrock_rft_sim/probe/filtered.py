"""The training data without the prompts that the probe found dead, and a manifest of why.

It starts from the source's own records, so nothing is lost to a validation split or to a length
limit of this machine; a prompt that was not probed, or lacks samples, is kept. That all samples
agreed is no proof that others would: the manifest says how often a prompt left out could still be
graded otherwise. Inputs are never overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.contract.limits import RECORDS_MIN
from bedrock_rft_sim.data import plan, read_records, row_from_record
from bedrock_rft_sim.data.prepare.output import DataOutput, is_same_file
from bedrock_rft_sim.data.prepare.rows import DataRow
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.probe.report import DEAD, Kind, PromptResult
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.stats.shares import unseen

OPERATION = "probe --filtered"
REASONS: Mapping[Kind, str] = {
    "always": "always solved",
    "never": "never graded above 0",
    "alike": "always graded alike, in between",
}


@dataclass(frozen=True)
class Filtered:
    """What became of the source's records."""

    path: str
    source: str
    records: int
    """Records of the source."""
    kept: int
    dropped_always_solved: int
    dropped_never_solved: int
    """Those of which no sample was graded above 0."""
    dropped_alike: int
    """Those whose samples all got the same partial credit."""
    kept_without_being_probed: int
    enough: bool
    """Whether as many records are left as Bedrock asks for."""


def check_target(path: Path, recipe: Recipe, *, others: Sequence[Path] = (), force: bool) -> None:
    """Refuse a file that must not be overwritten, before anything is sampled.

    `others` are files that the probe itself writes.

    Raises:
        DataError: it is something that the probe reads or writes, or exists and `force` is not set.
    """
    inputs = (recipe.path, recipe.reward_path, *_files(recipe), *others)
    for each in inputs:
        if each is not None and is_same_file(each, path):
            raise DataError(
                "the filtered data would overwrite a file of the probe",
                where="--filtered",
                expected="another file: inputs are never changed",
                found=f"{path}, which is {each}",
                hint="choose another name",
            )
    if path.is_dir() or (path.exists() and not force):
        raise DataError(
            "the file for the filtered data exists already",
            where="--filtered",
            expected="a name that is free",
            found=f"{path}, " + ("a folder" if path.is_dir() else f"{path.stat().st_size:,} bytes"),
            hint="choose another name, or --force to replace the file",
        )


def write_filtered(
    path: Path, recipe: Recipe, results: Sequence[PromptResult], *, force: bool = False
) -> Filtered:
    """Write the records that are not dead, with a manifest beside them, and count all of them.

    Raises:
        DataError: the file exists and `force` is not set, is the source, or can't be written.
    """
    probed = {result.id: result for result in results}
    dead = {name: result for name, result in probed.items() if result.kind in DEAD}
    dropped: list[dict[str, Any]] = []
    unprobed = 0
    origin = recipe.training_source
    source = origin if isinstance(origin, Path) else f"{origin.name} (train)"
    with DataOutput(
        path, operation=OPERATION, parameters={"recipe": recipe.name}, sources=[source], force=force
    ) as output:
        for row, name in output.counted(_records(recipe)):
            if name in dead:
                output.drop(row, REASONS[dead[name].kind])
                dropped.append(_reason(row, dead[name]))
            else:
                output.write(row.record)
                unprobed += name not in probed
        output.note("kept_without_being_probed", unprobed)
        output.note("dropped_prompts", dropped)
    kinds = [dead[each["id"]].kind for each in dropped]
    return Filtered(
        path=str(path),
        source=str(source),
        records=output.written + output.dropped,
        kept=output.written,
        dropped_always_solved=kinds.count("always"),
        dropped_never_solved=kinds.count("never"),
        dropped_alike=kinds.count("alike"),
        kept_without_being_probed=unprobed,
        enough=output.written >= RECORDS_MIN,
    )


def _files(recipe: Recipe) -> list[Path]:
    sources = (recipe.training_source, recipe.validation_source)
    return [source for source in sources if isinstance(source, Path)]


def _records(recipe: Recipe) -> Iterator[tuple[DataRow, str]]:
    """Yield each record of the training source as it was given, with the id that a run gives it."""
    source = recipe.training_source
    if isinstance(source, Path):
        for line, record in read_records(source):
            row = row_from_record(record, source=str(source), line=line)
            yield DataRow(line, record, str(source)), row.id
    else:
        for row in plan.source_rows(recipe, "train"):
            yield DataRow(row.line, row.as_record(), row.source), row.id


def _reason(row: DataRow, result: PromptResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "line": row.line,
        "why": f"{REASONS[result.kind]}: {result.samples} samples, all graded "
        f"{result.reward_mean:g}",
        "rate_of_other_grades_at_most": round(unseen(result.samples), 4),
    }
