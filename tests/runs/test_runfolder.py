from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.data import read_rows
from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.files import read_json_lines
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.runs.metrics import mantle_event, nova_csv_row
from bedrock_rft_sim.runs.rollouts import Rollout


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder.create(tmp_path, "first") as made:
        yield made


def rollout(step: int) -> Rollout:
    return Rollout(step, "row-1", 0, "#### 7\u2028ß", [5, 6], "stop", 1.0, [], 0.5, 1.2, -3.0)


def write_step(folder: RunFolder, step: int) -> None:
    line = {"step": step, "total_steps": 9, "critic_rewards_mean": step / 8}
    folder.append_trainer_log({"loss": 0.1, "step": step})
    folder.write_rollouts(step, [rollout(step)])
    folder.append_csv(nova_csv_row(line))
    folder.append_event(mantle_event(line))
    folder.append_metrics(line)


def csv_steps(folder: RunFolder) -> list[str]:
    with folder.nova_csv.open(newline="") as file:
        return [row["step_number"] for row in csv.DictReader(file)]


def steps(lines: list[dict]) -> list[int]:
    return [line["step"] for line in lines]


def test_a_new_run_has_a_record_and_is_the_latest(folder: RunFolder, tmp_path: Path) -> None:
    assert folder.read_record() == {
        "schema_version": 1,
        "name": "first",
        "status": "InProgress",
        "checkpoints_have_manifests": True,
    }
    assert (tmp_path / "latest" / "run.json").is_file()
    RunFolder.create(tmp_path, "second").close()
    assert (tmp_path / "latest").readlink() == Path("second")


def test_something_of_the_users_called_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    RunFolder.create(tmp_path, "a").close()
    assert not (tmp_path / "latest").is_symlink()


def test_a_name_is_never_reused_silently(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="already there") as caught:
        RunFolder.create(tmp_path, "first")
    assert "--resume" in str(caught.value)


def test_a_folder_that_is_no_run_is_never_taken_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("mine")
    with pytest.raises(RunFolderError, match="something else") as caught:
        RunFolder.create(tmp_path, "mine")
    assert "--resume" not in str(caught.value)


def test_a_run_that_can_not_begin_leaves_its_name_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(RunFolderError, match="No space left"):
            RunFolder.create(tmp_path, "a")
    RunFolder.create(tmp_path, "a").close()


@pytest.mark.parametrize("left", [(), (".lock",), (".lock", ".run.json.tmp")])
def test_a_run_killed_before_its_record_leaves_its_name_free(
    tmp_path: Path, left: tuple[str, ...]
) -> None:
    (tmp_path / "a").mkdir()
    for name in left:
        (tmp_path / "a" / name).touch()
    with RunFolder.create(tmp_path, "a") as folder:
        assert folder.read_record()["status"] == "InProgress"
        with pytest.raises(RunFolderError, match="already there"):
            RunFolder.create(tmp_path, "a")


def test_what_a_kill_left_half_written_is_swept_at_the_next_start(folder: RunFolder) -> None:
    write_step(folder, 1)
    folder.close()
    left = [folder.path / ".report.html.tmp", folder.path / "rollouts" / ".step-000002.jsonl.tmp"]
    for path in left:
        path.write_text("half")
    folder.unfinished_model.mkdir()
    (folder.unfinished_model / "config.json").write_text("{")
    RunFolder.open(folder.path)
    assert all(path.exists() for path in left)
    with RunFolder.open(folder.path, write=True):
        assert not [path for path in (*left, folder.unfinished_model) if path.exists()]
    assert folder.read_rollouts(1) == [rollout(1)]


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "latest", "a\nb", ".hidden", "ü"])
def test_a_name_that_can_not_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunFolderError, match="name"):
        RunFolder.create(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunFolderError, match="create the run folder"):
        RunFolder.create(tmp_path / "runs", "a")


def test_opening_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such folder"):
        RunFolder.open(tmp_path / "nothing")
    with pytest.raises(RunFolderError, match=r"without run\.json"):
        RunFolder.open(tmp_path)


def test_the_files_have_the_agreed_names(folder: RunFolder) -> None:
    root = folder.path
    assert folder.rollouts(1) == root / "rollouts" / "step-000001.jsonl"
    assert folder.validation(0) == root / "validation" / "step-000000.jsonl"
    assert folder.checkpoint(20) == root / "checkpoints" / "step-000020"
    write_step(folder, 1)
    folder.write_recipe("a: 1\n", resolved={"a": 1}, request={"why": "none"})
    names = {path.name for path in root.iterdir() if not path.name.startswith(".")}
    assert names == {
        "run.json",
        "recipe.yaml",
        "recipe.resolved.json",
        "request.json",
        "metrics.jsonl",
        "events.jsonl",
        "step_wise_training_metrics.csv",
        "trainer.jsonl",
        "rollouts",
    }


def test_what_is_written_is_read_back(folder: RunFolder) -> None:
    write_step(folder, 1)
    folder.write_validation(0, [rollout(0)])
    other = RunFolder.open(folder.path)
    assert other.read_metrics() == [{"step": 1, "total_steps": 9, "critic_rewards_mean": 0.125}]
    assert other.read_rollouts(1) == [rollout(1)]
    assert other.read_validation(0) == [rollout(0)]
    assert other.read_events()[0]["message"] == "Step 1/9: training metrics"
    assert read_json_lines(other.trainer_log) == [{"loss": 0.1, "step": 1}]
    assert (other.rollout_steps(), other.validation_steps()) == ([1], [0])


def test_the_csv_has_novas_header_once_and_empty_cells_for_what_is_unknown(
    folder: RunFolder,
) -> None:
    write_step(folder, 1)
    write_step(folder, 2)
    assert folder.nova_csv.read_text().splitlines() == [
        "step_number,epoch_number,train_reward_mean,train_episode_length_mean,policy_entropy,"
        "gradient_norm,mean_advantage,min_advantage,max_advantage",
        "1,,0.125,,,,,,",
        "2,,0.25,,,,,,",
    ]


def test_the_record_keeps_its_other_fields(folder: RunFolder) -> None:
    folder.write_record(seed=3)
    folder.write_record(status="Failed", error="handler raised")
    record = folder.read_record()
    assert (record["seed"], record["status"], record["name"]) == (3, "Failed", "first")
    assert not list(folder.path.glob("*.tmp"))


def test_a_record_of_another_version_is_not_guessed_at(folder: RunFolder) -> None:
    folder.write_record(schema_version=2)
    with pytest.raises(RunFolderError, match="another version"):
        RunFolder.open(folder.path)


def test_a_non_finite_number_is_never_written(folder: RunFolder) -> None:
    with pytest.raises(ValueError, match="JSON"):
        folder.append_metrics({"step": 1, "actor_pg_loss": float("nan")})
    assert folder.read_metrics() == []


def test_two_writers_never_share_a_run(folder: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="another process is writing"):
        RunFolder.open(folder.path, write=True)
    folder.close()
    RunFolder.open(folder.path, write=True).close()


def test_the_lock_of_a_killed_process_does_not_block_the_resume(tmp_path: Path) -> None:
    script = (
        "import sys, time; from bedrock_rft_sim.runs import RunFolder\n"
        f"folder = RunFolder.create({str(tmp_path)!r}, 'killed'); print('up', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        with pytest.raises(RunFolderError, match="another process"):
            RunFolder.open(tmp_path / "killed", write=True)
        child.send_signal(signal.SIGKILL)
    with RunFolder.open(tmp_path / "killed", write=True) as folder:
        assert folder.read_record()["status"] == "InProgress"


@pytest.mark.parametrize("lines", [1, 40, 400])
def test_a_writer_killed_at_any_instant_leaves_whole_steps(tmp_path: Path, lines: int) -> None:
    script = (
        "from bedrock_rft_sim.runs import RunFolder\n"
        f"folder = RunFolder.create({str(tmp_path)!r}, 'killed')\n"
        "for step in range(1, 10**6):\n"
        "    folder.append_csv({'step_number': step})\n"
        "    folder.append_metrics({'step': step, 'critic_rewards_mean': 0.5, 'x': 'y' * 5000})"
    )
    metrics = tmp_path / "killed" / "metrics.jsonl"
    with subprocess.Popen([sys.executable, "-c", script]) as child:
        while not metrics.exists() or metrics.stat().st_size < lines * 5000:
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
    with RunFolder.open(tmp_path / "killed", write=True) as folder:
        found = steps(folder.read_metrics())
        assert found == list(range(1, len(found) + 1))
        folder.truncate_after(len(found))
        assert csv_steps(folder) == [str(step) for step in found]


def test_reading_needs_no_lock_and_writing_does(folder: RunFolder) -> None:
    reader = RunFolder.open(folder.path)
    with pytest.raises(AssertionError, match="read only"):
        reader.append_metrics({"step": 1})


def test_a_torn_last_line_is_left_out(folder: RunFolder) -> None:
    write_step(folder, 1)
    with folder.metrics.open("a") as file:
        file.write('{"step": 2, "crit')
    assert steps(folder.read_metrics()) == [1]


def test_damage_in_the_middle_is_an_error_with_its_line(folder: RunFolder) -> None:
    folder.metrics.write_text('{"step": 1}\nrubbish\n{"step": 3}\n')
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl:2"):
        folder.read_metrics()


def test_cutting_back_leaves_a_folder_as_if_later_steps_had_never_been(folder: RunFolder) -> None:
    folder.append_event(message_event("Job started"))
    folder.write_validation(0, [rollout(0)])
    folder.append_metrics({"step": 0, "total_steps": 9, "validation_rewards_mean": 0.5})
    for step in range(1, 7):
        write_step(folder, step)
    for step in (2, 4, 6):
        folder.checkpoint(step).mkdir(parents=True)
        folder.write_validation(step, [rollout(step)])
    for path in (folder.metrics, folder.events, folder.trainer_log, folder.nova_csv):
        with path.open("a") as file:
            file.write('{"step": 7, "torn')
    folder.truncate_after(4)
    assert steps(folder.read_metrics()) == [0, 1, 2, 3, 4]
    assert steps(read_json_lines(folder.trainer_log)) == [1, 2, 3, 4]
    assert csv_steps(folder) == ["1", "2", "3", "4"]
    words = [event["message"] for event in folder.read_events()]
    assert words == ["Job started", *(f"Step {n}/9: training metrics" for n in range(1, 5))]
    assert folder.rollout_steps() == [1, 2, 3, 4]
    assert folder.validation_steps() == [0, 2, 4]
    assert not folder.checkpoint(6).exists()
    write_step(folder, 5)
    assert steps(folder.read_metrics()) == [0, 1, 2, 3, 4, 5]
    assert csv_steps(folder)[-1] == "5"


@pytest.mark.parametrize(
    ("name", "value"),
    [("validation_rewards_mean", "high"), ("critic_rewards_mean", [1]), ("local_seconds", 3)],
)
def test_a_run_does_not_go_on_from_a_line_that_no_run_writes(
    name: str, value: object, folder: RunFolder
) -> None:
    folder.append_metrics({"step": 0, "total_steps": 9, "validation_rewards_mean": 0.5})
    write_step(folder, 1)
    folder.append_metrics({"step": 2, "total_steps": 9, name: value})
    with pytest.raises(RunFolderError, match=rf"metrics\.jsonl:3[\s\S]*{name} is .* not "):
        folder.truncate_after(2)
    assert steps(folder.read_metrics()) == [0, 1, 2]
    folder.truncate_after(1)
    assert steps(folder.read_metrics()) == [0, 1]


def test_cutting_back_to_the_start_leaves_no_training_step(folder: RunFolder) -> None:
    folder.append_event(message_event("Job started"))
    folder.append_metrics({"step": 0, "total_steps": 9})
    write_step(folder, 1)
    folder.truncate_after(0)
    assert steps(folder.read_metrics()) == [0]
    folder.truncate_after(-1)
    assert folder.read_metrics() == []
    assert [event["message"] for event in folder.read_events()] == ["Job started"]
    assert not folder.nova_csv.exists()
    write_step(folder, 1)
    assert csv_steps(folder) == ["1"]


def test_a_checkpoint_counts_only_once_it_is_accepted(folder: RunFolder) -> None:
    for step in (20, 40):
        folder.unfinished_checkpoint(step).mkdir(parents=True)
    folder.accept_checkpoint(20)
    assert folder.checkpoint_steps() == [20]
    folder.drop_unfinished_checkpoints()
    assert not folder.unfinished_checkpoint(40).exists()


def test_a_full_disk_names_file_step_and_next_step(folder: RunFolder) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system to play the full disk")
    write_step(folder, 1)
    kept = folder.metrics.rename(folder.path / "kept")
    folder.metrics.symlink_to("/dev/full")
    with pytest.raises(RunFolderError) as caught:
        folder.append_metrics({"step": 2})
    message = str(caught.value)
    for part in ("metrics.jsonl", "No space left", "at step 2", "--resume"):
        assert part in message
    assert json.loads(kept.read_text())["step"] == 1


def test_a_line_torn_by_a_full_disk_is_taken_back(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_step(folder, 1)
    whole = folder.metrics.read_bytes()
    real = os.write
    calls: list[int] = []

    def half_then_full(descriptor: int, data: bytes) -> int:
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(RunFolderError, match="No space left"):
        folder.append_metrics({"step": 2, "total_steps": 9})
    assert len(calls) == 2
    assert folder.metrics.read_bytes() == whole


def test_rollouts_that_can_not_be_written_leave_the_old_file(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_rollouts(1, [rollout(1)])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunFolderError, match="write the rollouts"):
        folder.write_rollouts(1, [])
    assert folder.read_rollouts(1) == [rollout(1)]
    assert [path.name for path in (folder.path / "rollouts").iterdir()] == ["step-000001.jsonl"]


def test_prompts_come_back_as_they_were(tmp_path: Path, write_rows: Callable[..., Path]) -> None:
    rows = list(read_rows(write_rows(3)))
    with RunFolder.create(tmp_path, "run") as folder:
        folder.write_prompts(rows[:2], rows[2:])
    kept = RunFolder.open(tmp_path / "run").read_prompts()
    assert list(kept) == [("train", "sum-000"), ("train", "sum-001"), ("validation", "sum-002")]
    assert [(r.id, r.messages, r.reference_answer, r.extra) for r in kept.values()] == [
        (r.id, r.messages, r.reference_answer, r.extra) for r in rows
    ]


def test_a_run_tells_whether_it_is_being_written(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "run") as folder:
        assert Run.open(folder.path).going_on
    assert not Run.open(tmp_path / "run").going_on
