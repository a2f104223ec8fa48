"""The study of a search: a journal for several machines, and the SQLite file from before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.sweep.result import SweepResult
from bedrock_rft_sim.sweep.study import JOURNAL, SQLITE, open_study
from tests.sweep.conftest import BATCH, RATE

SEARCH = f"""mode: search
axes:
  {RATE}: {{low: 1e-5, high: 1e-3, log: true}}
  {BATCH}: [16, 24, 32]
seeds: [0]
trials: 4
pruner: {{startupTrials: 1, warmupSteps: 1}}
"""


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], Any]:
    """Return a function that opens the journal in the test's folder once more."""
    return lambda: open_study(tmp_path, tmp_path / "study.lock", name="asked")


def test_a_study_in_an_sqlite_file_is_copied_and_goes_on(
    swept: Callable[..., SweepResult], tmp_path: Path, made: Callable[[], list[str]]
) -> None:
    before, runs = swept(SEARCH).as_json(), len(made())
    out = tmp_path / "out"
    journal = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(out / JOURNAL))
    )
    (study,) = journal.get_all_studies()
    sqlite = f"sqlite:///{out / SQLITE}"
    optuna.copy_study(from_study_name=study.study_name, from_storage=journal, to_storage=sqlite)
    (out / JOURNAL).unlink()
    assert swept(SEARCH).as_json() == before
    assert len(made()) == runs
    more = swept(SEARCH.replace("trials: 4", "trials: 5")).as_json()
    assert len(more["settings"]) >= len(before["settings"])
    assert runs < len(made()) <= runs + 1


def test_an_sqlite_file_with_other_studies_is_left_alone(
    opened: Callable[[], Any], tmp_path: Path
) -> None:
    optuna.create_study(storage=f"sqlite:///{tmp_path / SQLITE}", study_name="another")
    before = (tmp_path / SQLITE).read_bytes()
    assert opened().get_all_studies() == []
    assert (tmp_path / SQLITE).read_bytes() == before


def test_half_an_entry_that_a_kill_left_is_cut_off(
    opened: Callable[[], Any], tmp_path: Path
) -> None:
    one = opened()
    study = one.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "asked")
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"op_code": 4, "worker')
    other = opened()
    other.create_new_trial(study)
    assert len(one.get_all_trials(study)) == 1
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    assert [json.loads(line)["op_code"] for line in lines] == [0, 4]


def test_a_full_disk_is_one_message_that_names_the_journal(
    opened: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunFolderError, match="can't write the study of the search") as raised:
        storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "asked")
    assert raised.value.where == str(tmp_path / JOURNAL)
