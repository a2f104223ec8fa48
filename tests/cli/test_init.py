"""`rft init`: from nothing or from a request to a recipe that `rft check` accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.recipe.shipped import shipped_recipes

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("dialect", ["nova", "open-weight"])
def test_a_recipe_from_nothing_passes_the_check(dialect: str) -> None:
    assert main(["init", "--dialect", dialect]) == 0
    assert main(["check", "recipe.yaml", "--no-audit"]) == 0


def test_files_are_named_as_seen_from_the_recipe_s_folder(
    here: Path, write_rows: Callable[..., Path]
) -> None:
    for name in ("train.jsonl", "validation.jsonl"):
        write_rows(100, name)
    (here / "own.py").write_text("def lambda_handler(event, context): return []\n")
    (here / "gsm8k").mkdir()  # a folder of the user's does not hide the shipped reward
    (here / "model").symlink_to(EMBEDDED_FOLDER)
    files = ["--data", "train.jsonl", "--validation", "validation.jsonl", "--model", "model"]
    assert main(["init", *files, "--reward", "own.py", "-o", "recipes/mine.yaml"]) == 0
    recipe = load_recipe(here / "recipes/mine.yaml")
    assert recipe.local.trainingData == "../train.jsonl"
    assert recipe.training_source == here / "train.jsonl"
    assert recipe.validation_source == here / "validation.jsonl"
    assert recipe.reward_path == here / "own.py"
    assert Path(recipe.model) == (here / "model").resolve()
    files[1] = str(here / "train.jsonl")  # an absolute path stays as it is
    assert main(["init", *files, "-o", "mine.yaml"]) == 0
    assert load_recipe("mine.yaml").local.trainingData == files[1]
    assert load_recipe("mine.yaml").local.reward == "gsm8k"
    assert main(["check", "mine.yaml", "--no-audit"]) == 0


def test_a_request_that_is_small_already_needs_no_overrides(here: Path) -> None:
    request = load_recipe("quickstart").request
    (here / "request.json").write_text(json.dumps(request))
    assert main(["init", "--from", "request.json", "--validation", "problems"]) == 0
    assert load_recipe("recipe.yaml").request == request
    assert load_recipe("recipe.yaml").overrides == {}


def test_a_request_that_exists_becomes_a_recipe(here: Path, capsys: Printed) -> None:
    request = load_recipe("gsm8k-nova").request
    (here / "request.json").write_text(json.dumps(request))
    assert main(["init", "--from", "request.json", "--json", "--validation", "orders"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"] == "recipe.yaml"
    assert load_recipe("recipe.yaml").request == request
    assert main(["init", "--from", "request.json", "--data", "rows.jsonl", "--force"]) == 2
    assert "nothing stands in for the validation file" in capsys.readouterr().err


def test_a_request_that_can_t_be_rehearsed_names_its_line(here: Path, capsys: Printed) -> None:
    (here / "request.yaml").write_text("jobname: x\n")
    assert main(["init", "--from", "request.yaml"]) == 2
    printed = capsys.readouterr().err
    assert "request.yaml:1: no request found" in printed
    assert "did you mean jobName?" in printed


def test_a_recipe_that_is_there_is_kept(here: Path, capsys: Printed) -> None:
    (here / "recipe.yaml").write_text("mine\n")
    assert main(["init"]) == 2
    assert "--force" in capsys.readouterr().err
    assert (here / "recipe.yaml").read_text() == "mine\n"
    assert main(["init", "--force"]) == 0


@pytest.mark.parametrize("text", ["local: {}\n", "jobName: x\ncustomizationConfig: {}\n"])
def test_what_is_missing_is_said_with_the_verb_that_writes_it(
    text: str, here: Path, capsys: Printed
) -> None:
    whole = load_recipe("quickstart").request
    (here / "half.yaml").write_text(text if text.startswith("local") else json.dumps(whole))
    assert main(["check", "half.yaml"]) == 2
    assert "rft init" in capsys.readouterr().err


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_reads_from_the_current_folder(name: str, here: Path) -> None:
    for recipe in (load_recipe(name), load_recipe(shipped_recipes()[name])):
        for source in (recipe.training_source, recipe.validation_source):
            assert not isinstance(source, Path) or source.is_relative_to(here / "data")


@pytest.mark.parametrize("dialect", ["nova", "open-weight"])
def test_check_has_no_complaint_about_what_init_wrote(dialect: str, capsys: Printed) -> None:
    main(["init", "--dialect", dialect])
    capsys.readouterr()
    assert main(["check", "recipe.yaml", "--no-audit", "--json"]) == 0
    guidance = json.loads(capsys.readouterr().out)["guidance"]
    assert [point["knob"] for point in guidance if point["follows"] is False] == []


@pytest.mark.parametrize("dialect", ["nova", "open-weight"])
def test_too_few_rows_are_said_at_once_as_check_says_them(
    dialect: str, write_rows: Callable[..., Path], capsys: Printed
) -> None:
    write_rows(3, "train.jsonl")
    assert main(["init", "--dialect", dialect, "--data", "train.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "error records-min: train.jsonl: too few records" in said
    assert "found: 3 valid records; next: add records" in said
    recipe = load_recipe("recipe.yaml")
    assert recipe.settings.batch_size <= 3
    assert main(["check", "recipe.yaml", "--no-audit"]) == 1
    assert "Bedrock would refuse the data (too few records, add records)" in capsys.readouterr().out
