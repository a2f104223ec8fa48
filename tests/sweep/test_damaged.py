"""A sweep's folder that was damaged: the sweep goes on, or says in one message what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bedrock_rft_sim import cli
from bedrock_rft_sim.sweep import sweep
from bedrock_rft_sim.sweep.page import PAGE
from bedrock_rft_sim.sweep.result import RESULT, SweepResult
from bedrock_rft_sim.sweep.study import JOURNAL, SQLITE
from tests.run_damage import Harm, a_folder, cut, emptied, nested, not_utf_8, removed
from tests.sweep.conftest import RATE, STUB

QUICK = (cut, removed, nested)
HARMS = [
    pytest.param(harm, id=harm.__name__, marks=() if harm in QUICK else (pytest.mark.slow,))
    for harm in (cut, emptied, removed, nested, not_utf_8, a_folder)
]
ONE_FACTOR = f"mode: one-factor\nseeds: [0]\naxes:\n  {RATE}: [1.0e-6, 1.0e-4]\n"
SEARCH = (
    f"mode: search\nseeds: [0]\ntrials: 2\npruner: none\n"
    f"axes:\n  {RATE}: {{low: 1e-5, high: 1e-3, log: true}}\n"
)
OF_A_POINT = ("run.json", "metrics.jsonl", "validation/step-000020.jsonl")
Ended = tuple[int, str]


@pytest.fixture
def again(
    written: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str], Ended]:
    """Return a function that sweeps from the command line, into `out`: exit code and errors."""
    monkeypatch.setattr("bedrock_rft_sim.sweep.sweep", partial(sweep, command=STUB))

    def fail(error: Exception) -> str:
        raise AssertionError("an error that nobody foresaw") from error

    monkeypatch.setattr(cli, "own_mistake", fail)

    def run(text: str) -> Ended:
        code = cli.main(["sweep", str(written(text)), "--out", str(tmp_path / "out")])
        out, err = capsys.readouterr()
        return code, out + err

    return run


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_folder_is_gone_on_with_or_named(
    harm: Harm, swept: Callable[..., SweepResult], again: Callable[[str], Ended], tmp_path: Path
) -> None:
    before = swept(ONE_FACTOR).as_json()
    point = next((tmp_path / "out" / "points").iterdir())
    for name in OF_A_POINT:
        kept = (point / name).read_bytes()
        harm(point / name)
        code, said = again(ONE_FACTOR)
        told = f"{harm.__name__} {name}: {said}"
        assert code in (0, 1), told
        assert said.count("expected:") <= 1, told
        rows = json.loads((tmp_path / "out" / RESULT).read_text())["settings"]
        runs = [one for row in rows for one in row["runs"]]
        named = [one for one in runs if one["status"] == "failed" or one["problems"]]
        # Made anew, as it was; or its damage stands beside its name.
        assert rows == before["settings"] or point.name in [one["name"] for one in named], told
        restore(point / name, kept)


def restore(path: Path, content: bytes) -> None:
    if path.is_dir():
        path.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_result_is_written_anew(
    harm: Harm, swept: Callable[..., SweepResult], again: Callable[[str], Ended], tmp_path: Path
) -> None:
    swept(ONE_FACTOR)
    for name in (RESULT, PAGE):
        path = tmp_path / "out" / name
        before = path.read_bytes()
        harm(path)
        code, said = again(ONE_FACTOR)
        if harm is a_folder:
            assert (code, said.count("can't write")) == (1, 1)
            restore(path, before)
        else:
            assert (code, path.read_bytes()) == (0, before)


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_study_is_named_or_gone_on_with(
    harm: Harm, swept: Callable[..., SweepResult], again: Callable[[str], Ended], tmp_path: Path
) -> None:
    before = swept(SEARCH).as_json()
    harm(tmp_path / "out" / JOURNAL)
    code, said = again(SEARCH)
    if harm in (removed, emptied, cut):
        assert code == 0, said
        assert json.loads((tmp_path / "out" / RESULT).read_text()) == before
    else:
        assert code == 1
        assert "the study of the search can't be used" in said
        assert said.count("expected:") == 1


def test_a_damaged_sqlite_file_of_an_earlier_search_is_named(
    again: Callable[[str], Ended], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / SQLITE).write_bytes(b"no database, whatever its name says" * 200)
    code, said = again(SEARCH)
    assert code == 1
    assert f"{SQLITE}: the study of the search can't be used" in said
    assert said.count("expected:") == 1


def test_a_sweep_that_can_not_begin_leaves_no_folder(
    again: Callable[[str], Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    code, said = again(SEARCH)
    assert (code, "a search needs Optuna" in said) == (2, True)
    assert not (tmp_path / "out").exists()
