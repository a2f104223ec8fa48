"""Data without dead prompts: every record accounted for, and no input ever overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import plan, read_rows
from bedrock_rft_sim.data.prepare.output import manifest_path
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.probe.filtered import check_target, write_filtered
from bedrock_rft_sim.probe.report import Kind, PromptResult
from bedrock_rft_sim.recipe import Recipe, load_recipe

RECORDS = 120


@pytest.fixture
def train(write_rows: Callable[..., Path]) -> Path:
    return write_rows(RECORDS, "train.jsonl")


@pytest.fixture
def recipe(train: Path, tmp_path: Path) -> Recipe:
    reward = tmp_path / "reward.py"
    reward.write_text("def lambda_handler(event, context): return []\n")
    return load_recipe(
        "gsm8k-open-weight",
        sets=[
            *("local.model=tiny", f"local.trainingData={train}", "local.validationData="),
            f"local.reward={reward}",
        ],
    )


def result(number: int, kind: Kind, *, grade: float = 0.0, samples: int = 8) -> PromptResult:
    return PromptResult(f"sum-{number:03d}", samples, 0, 0, grade, kind)


DEAD = [
    result(0, "always", grade=1.0),
    result(1, "never"),
    result(2, "alike", grade=0.5),
    result(3, "mixed", grade=0.5),
    result(4, "open"),
]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_record_of_the_source_is_kept_or_counted_also_those_split_off_for_validation(
    recipe: Recipe, train: Path, tmp_path: Path
) -> None:
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    assert len(data.train) < RECORDS  # the open-weight split
    path = tmp_path / "filtered.jsonl"
    found = write_filtered(path, recipe, DEAD)
    assert lines(path) == lines(train)[3:]
    assert (found.records, found.kept, found.kept_without_being_probed) == (120, 117, 115)
    assert (found.dropped_always_solved, found.dropped_never_solved, found.dropped_alike) == (
        1,
        1,
        1,
    )
    assert found.enough


def test_a_record_too_long_for_this_machine_is_kept(train: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        "quickstart",
        sets=[
            f"local.trainingData={train}",
            f"local.validationData={train}",
            "local.overrides.maxPromptLength=1",
        ],
    )
    assert write_filtered(tmp_path / "kept.jsonl", recipe, []).kept == RECORDS


def test_the_manifest_says_what_was_left_out_and_how_sure_that_is(
    recipe: Recipe, tmp_path: Path
) -> None:
    path = tmp_path / "filtered.jsonl"
    write_filtered(path, recipe, DEAD)
    manifest = json.loads(manifest_path(path).read_text())
    assert manifest["rows"] == {"in": 120, "out": 117, "dropped": 3}
    assert [(each["reason"], each["lines"]) for each in manifest["drops"]] == [
        ("always solved", [1]),
        ("never graded above 0", [2]),
        ("always graded alike, in between", [3]),
    ]
    dropped = manifest["notes"]["dropped_prompts"][0]
    assert (dropped["id"], dropped["line"]) == ("sum-000", 1)
    # 8 samples alike: a rate of 1 - 0.05^(1/8) = 31 % of other grades is still plausible
    assert dropped["rate_of_other_grades_at_most"] == pytest.approx(0.3123, abs=1e-4)


def test_fewer_records_than_bedrock_asks_for_are_flagged(recipe: Recipe, tmp_path: Path) -> None:
    dead = [result(number, "never") for number in range(21)]
    found = write_filtered(tmp_path / "filtered.jsonl", recipe, dead)
    assert (found.kept, found.enough) == (99, False)


def test_built_in_problems_are_written_as_records_that_can_be_trained_on(tmp_path: Path) -> None:
    recipe = load_recipe("quickstart", sets=["local.trainingData=problems:30"])
    rows = list(plan.source_rows(recipe, "train"))
    path = tmp_path / "filtered.jsonl"
    dead = PromptResult(rows[4].id, 8, 8, 8, 1.0, "always")
    assert write_filtered(path, recipe, [dead]).kept == 29
    kept = list(read_rows(path))
    expected = [row for row in rows if row.id != dead.id]
    assert [(r.id, r.messages, r.reference_answer, r.extra) for r in kept] == [
        (r.id, r.messages, r.reference_answer, r.extra) for r in expected
    ]


def spellings(train: Path, tmp_path: Path) -> list[Path]:
    soft, hard = tmp_path / "soft.jsonl", tmp_path / "hard.jsonl"
    soft.symlink_to(train)
    os.link(train, hard)
    (tmp_path / "sub").mkdir()
    return [train, soft, hard, tmp_path / "sub" / ".." / train.name]


@pytest.mark.parametrize("which", range(4))
def test_the_source_is_never_overwritten_however_it_is_spelt(
    which: int, recipe: Recipe, train: Path, tmp_path: Path
) -> None:
    before = train.read_bytes()
    target = spellings(train, tmp_path)[which]
    with pytest.raises(DataError, match="would overwrite a file of the probe"):
        check_target(target, recipe, force=True)
    with pytest.raises(DataError, match="one of the inputs"):
        write_filtered(target, recipe, DEAD, force=True)
    assert train.read_bytes() == before


def test_neither_the_reward_nor_the_probe_s_own_files_are_overwritten(
    recipe: Recipe, tmp_path: Path
) -> None:
    out = tmp_path / "p.json"
    for target in (recipe.reward_path, out):
        with pytest.raises(DataError, match="would overwrite a file of the probe"):
            check_target(target, recipe, others=[out], force=True)


def test_an_existing_file_and_its_manifest_are_replaced_by_force_only(
    recipe: Recipe, tmp_path: Path
) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("precious\n")
    manifest_path(path).write_text("{}")
    with pytest.raises(DataError, match=r"exists already(?s:.*)--force"):
        check_target(path, recipe, force=False)
    with pytest.raises(DataError, match="exists already"):
        write_filtered(path, recipe, DEAD)
    assert (path.read_text(), manifest_path(path).read_text()) == ("precious\n", "{}")
    check_target(path, recipe, force=True)
    assert write_filtered(path, recipe, DEAD, force=True).kept == 117
    assert json.loads(manifest_path(path).read_text())["rows"]["out"] == 117
