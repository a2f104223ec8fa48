"""The Python API: what the package offers, and that a program can live on it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bedrock_rft_sim
from bedrock_rft_sim import Run
from bedrock_rft_sim.errors import DataError
from tests.run_folders import write_run

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


SMALL = [
    "local.maxSteps=1",
    "local.device=cpu",
    "local.overrides.batchSize=2",
    "local.overrides.inferenceMaxTokens=8",
    "local.overrides.evalInterval=50",
    "local.trainingData=problems:16",
    "local.validationData=problems:4",
]
NOTEBOOK = Path(__file__).parents[1] / "configs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Return the example notebook's folder and names after its code cells, with small runs."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("notebook")
        patch.chdir(folder)
        for source in sources:
            exec(compile(source, NOTEBOOK.name, "exec"), names)
            names["small"][:] = SMALL
        yield folder, names


def test_the_example_notebook_checks_trains_reads_and_compares(
    executed: tuple[Path, dict[str, Any]],
) -> None:
    folder, names = executed
    first, second = names["results"]
    assert names["checked"].ok
    assert first.status == second.status == "Completed"
    assert first.folder == Path("runs/seed0")
    assert (folder / "runs/seed0/report.html").is_file()
    assert [line["step"] for line in Run.open(folder / "runs/seed1").lines] == [0, 1]
    assert names["found"].verdict in ("same shape", "different", "cannot tell")
    assert names["found"].words == names["found"].comparison.words
    assert (folder / "curves.pdf").read_bytes().startswith(b"%PDF")


def test_runs_and_comparisons_display_as_tables_and_curves(
    executed: tuple[Path, dict[str, Any]],
) -> None:
    run, found = (executed[1][name]._repr_html_() for name in ("run", "found"))
    for html in (run, found):
        assert "<table>" in html
        assert "<svg" in html
        assert "<script" not in html
        assert "Training rewards" in html
    assert "seed0: Completed, step 1 of 1" in run
    assert "seed 0" in found
    assert "Cannot tell" in found


def test_what_a_run_is_called_stays_text(tmp_path: Path) -> None:
    hostile = [{"step": 1, "critic_rewards_mean": 0.5}]
    with write_run(tmp_path, lines=hostile, steps={"total": 1}) as folder:
        folder.write_record(status="<script>alert(1)</script>")
    html = Run.open(folder.path)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_one_path_is_a_side_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none-there"):
        bedrock_rft_sim.compare_runs("none-there", tmp_path / "b")
