"""The Python API: what the package offers, and that a program can live on it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import bedrock_rft_sim
from bedrock_rft_sim import Run, check, compare_runs, load_recipe, rehearse

DOCUMENTED = ["Run", "__version__", "check", "compare_runs", "load_recipe", "rehearse"]
LOADED = (
    "import json, sys, bedrock_rft_sim; names = dir(bedrock_rft_sim); "
    "print(json.dumps([names, sorted(name.partition('.')[0] for name in sys.modules)]))"
)


def test_the_package_offers_exactly_its_documented_names_and_loads_nothing_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)
    names, loaded = json.loads(done.stdout)
    assert names == DOCUMENTED == bedrock_rft_sim.__all__
    assert not {"torch", "numpy", "pydantic", "scipy", "yaml"} & set(loaded)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_name_is_there_and_documented(name: str) -> None:
    found = getattr(bedrock_rft_sim, name)
    assert name == "__version__" or len(inspect.getdoc(found) or "") > 20


def test_a_name_that_is_not_offered_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = bedrock_rft_sim.nonsense


def test_a_recipe_is_checked_run_read_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = [
        "local.maxSteps=1",
        "local.device=cpu",
        "local.overrides.batchSize=2",
        "local.overrides.inferenceMaxTokens=8",
        "local.overrides.evalInterval=50",
        "local.trainingData=problems:16",
        "local.validationData=problems:4",
    ]
    recipes = [load_recipe("quickstart", sets=[*small, f"local.seed={seed}"]) for seed in (0, 1)]
    said: list[str] = []
    first = rehearse(recipes[0])
    second = rehearse(recipes[1], parent=tmp_path / "runs", name="other", say=said.append)
    assert first.status == second.status == "Completed"
    assert first.folder == Path("runs") / recipes[0].name
    assert (first.folder / "report.html").is_file()
    assert said[0].startswith("other: reading")
    assert [line["step"] for line in Run.open(second.folder).lines] == [0, 1]
    assert check(recipes[0]).ok
    found = compare_runs([first.folder], ["other"])
    assert found.verdict in ("same", "different", "cannot tell")
