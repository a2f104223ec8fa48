"""The Python API: what the package offers, and that a program can live on it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bedrock_rft_sim
from bedrock_rft_sim import Run
from bedrock_rft_sim.cli import api
from bedrock_rft_sim.diagnosis import Evidence, learning_signal
from bedrock_rft_sim.errors import DataError, RehearsalError
from bedrock_rft_sim.recipe import recipe_of
from bedrock_rft_sim.train.run import RunResult
from tests.run_folders import metric_line, write_run

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
    "local.trainingData=problems:100",
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


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs under runs/."""
    folder = tmp_path_factory.mktemp("two")
    for name, shift in (("a", 0.0), ("b", 0.1)):
        lines = [metric_line(n, 5, reward=n / 10 + shift) for n in range(1, 6)]
        write_run(folder / "runs", name, lines=lines, steps={"total": 5}).close()
    return folder


def test_whatever_the_api_returns_is_short_as_text_and_a_table_in_a_notebook(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two_runs)
    recipe = bedrock_rft_sim.load_recipe("quickstart", sets=["local.trainingData=problems:100"])
    signal = learning_signal(Evidence(Run.open("a").lines))
    found = {
        "recipe": recipe,
        "check": bedrock_rft_sim.check(recipe),
        "result": RunResult(two_runs, "Completed", 3, 3, signal, {}, {}),
        "run": Run.open("latest"),
        "comparison": bedrock_rft_sim.compare_runs("a", ["b"]),
    }
    for each in found.values():
        assert len(repr(each)) < 200
        assert repr(each).startswith("<")
        assert "<table>" in each._repr_html_()
        assert len(each._repr_html_()) < 200_000
    assert repr(found["run"]) == "<Run b: Completed, step 5 of 5>"
    assert repr(found["check"]) == "<RecipeCheck quickstart: ready, 6 steps>"
    assert repr(found["comparison"]) == "<Overlay a against b: cannot tell>"


def test_check_and_rehearse_take_a_name_a_path_and_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(bedrock_rft_sim.load_recipe("quickstart").text)
    given = "quickstart", path, bedrock_rft_sim.load_recipe(path)
    assert [recipe_of(each).name for each in given] == ["quickstart"] * 3
    seen = []
    monkeypatch.setattr(api.run, "rehearse", lambda recipe, **_: seen.append(recipe.name))
    for each in given:
        bedrock_rft_sim.rehearse(each)
    assert seen == ["quickstart"] * 3
    assert bedrock_rft_sim.check(path).recipe.path == path


NAMED: dict[str, Callable[[], object]] = {
    "load_recipe(None)": lambda: bedrock_rft_sim.load_recipe(None),
    "load_recipe(5)": lambda: bedrock_rft_sim.load_recipe(5),
    "load_recipe('/none.yaml')": lambda: bedrock_rft_sim.load_recipe("/none.yaml"),
    "sets, a text": lambda: bedrock_rft_sim.load_recipe("quickstart", sets="local.seed=1"),
    "sets, numbers": lambda: bedrock_rft_sim.load_recipe("quickstart", sets=[1]),
    "sets, None": lambda: bedrock_rft_sim.load_recipe("quickstart", sets=None),
    "check(None)": lambda: bedrock_rft_sim.check(None),
    "check('none')": lambda: bedrock_rft_sim.check("none"),
    "check's audit": lambda: bedrock_rft_sim.check("quickstart", reward_audit=True),
    "check's replies": lambda: bedrock_rft_sim.check("quickstart", replies=["x"]),
    "check's measured": lambda: bedrock_rft_sim.check("quickstart", measured=3),
    "check's measured path": lambda: bedrock_rft_sim.check("quickstart", measured="/none"),
    "rehearse(5)": lambda: bedrock_rft_sim.rehearse(5),
    "rehearse('./none.yaml')": lambda: bedrock_rft_sim.rehearse("./none.yaml"),
    "rehearse's parent": lambda: bedrock_rft_sim.rehearse("quickstart", parent=None),
    "rehearse's name": lambda: bedrock_rft_sim.rehearse("quickstart", name=7),
    "rehearse's names": lambda: bedrock_rft_sim.rehearse("quickstart", name="a/b"),
    "rehearse's resume": lambda: bedrock_rft_sim.rehearse("quickstart", resume="yes"),
    "rehearse's say": lambda: bedrock_rft_sim.rehearse("quickstart", say="print"),
    "Run.open(None)": lambda: Run.open(None),
    "Run.open('none')": lambda: Run.open("none"),
    "compare_runs(None, b)": lambda: bedrock_rft_sim.compare_runs(None, "b"),
    "compare_runs([], b)": lambda: bedrock_rft_sim.compare_runs([], "b"),
    "compare_runs([1], b)": lambda: bedrock_rft_sim.compare_runs([1], "b"),
    "compare_runs(none, b)": lambda: bedrock_rft_sim.compare_runs("none", "b"),
    "axis": lambda: bedrock_rft_sim.compare_runs("a", "b", axis="steps"),
    "top, a text": lambda: bedrock_rft_sim.compare_runs("a", "b", top="1"),
    "top, none": lambda: bedrock_rft_sim.compare_runs("a", "b", top=float("nan")),
    "labels, one": lambda: bedrock_rft_sim.compare_runs("a", "b", labels=("A",)),
    "labels, a text": lambda: bedrock_rft_sim.compare_runs("a", "b", labels="AB"),
    "picture('bmp')": lambda: bedrock_rft_sim.compare_runs("a", "b").picture("bmp"),
    "picture(None)": lambda: bedrock_rft_sim.compare_runs("a", "b").picture(None),
}


@pytest.mark.parametrize("call", NAMED.values(), ids=NAMED)
def test_a_wrong_argument_is_one_message_of_the_family(
    call: Callable[[], object], two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two_runs)
    with pytest.raises(RehearsalError) as refused:
        call()
    assert "found: " in str(refused.value)
    assert len(str(refused.value)) < 600
    assert sorted(path.name for path in two_runs.iterdir()) == ["runs"]
    assert sorted(path.name for path in (two_runs / "runs").iterdir()) == ["a", "b", "latest"]
