from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.compare.series import read_curves
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.runs import RunFolder
from tests.run_folders import write_run

Save = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = write_run(tmp_path, status="InProgress", steps={"total": 9})
    folder.append_metrics({"step": 0, "total_steps": 9, "validation_rewards_mean": 0.25})
    for step in range(1, 5):
        folder.append_metrics(
            {
                "step": step,
                "total_steps": 9,
                "critic_rewards_mean": step / 10,
                "local_seconds": {"grade": 0.5},
                "local_non_finite": ["actor_grad_norm"],
            }
        )
    return folder


def test_a_run_folder_is_read_with_its_plan(run: RunFolder) -> None:
    run.write_record(status="Completed")
    (found,) = read_curves(run.path)
    assert found.kind == "run"
    assert found.name == "run"
    assert (found.total_steps, found.prompts_per_step) == (9, 16)
    assert found.series["critic_rewards_mean"].values == (0.1, 0.2, 0.3, 0.4)
    assert found.series["validation_rewards_mean"].steps == (0,)
    assert found.series["local_seconds/grade"].values == (0.5,) * 4
    assert found.unknown == ()
    assert any("local_non_finite" in note for note in found.notes)


def test_a_crashed_run_is_read_up_to_its_last_whole_line(run: RunFolder) -> None:
    with run.metrics.open("a") as file:
        file.write('{"step":5,"critic_rewa')
    (found,) = read_curves(run.path)
    assert found.last_step == 4
    assert any("metrics.jsonl:6" in note and "half written" in note for note in found.notes)
    assert any("InProgress" in note and "step 4" in note for note in found.notes)


def test_a_run_that_died_before_it_knew_its_plan_is_read(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "early") as folder:
        folder.write_record(status="Failed", steps=None)
        folder.append_metrics({"step": 1, "critic_rewards_mean": 0.5})
    (found,) = read_curves(folder.path)
    assert (found.total_steps, found.prompts_per_step) == (None, None)
    assert found.series["critic_rewards_mean"].values == (0.5,)


def test_a_run_without_a_step_is_one_message(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "fresh")
    with pytest.raises(DataError, match="no metric values"):
        read_curves(folder.path)


def test_a_damaged_run_is_one_message_with_file_and_line(run: RunFolder) -> None:
    lines = run.metrics.read_text().splitlines()
    run.metrics.write_text("\n".join([*lines[:2], "?", *lines[2:]]) + "\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl:3"):
        read_curves(run.path)


def test_trl_s_trainer_state_is_read_and_the_last_checkpoint_taken(save: Save) -> None:
    history = [
        {"step": 1, "reward": 0.25, "entropy": 1.5, "kl": 0.1, "epoch": 0.5},
        {"step": 1, "eval_reward": 0.5, "eval_completions/mean_length": 60.0},
        {"step": 2, "reward": 0.5, "completions/mean_length": 50.0, "epoch": 1.0},
        {"step": 2, "train_runtime": 9.0, "epoch": 1.0},
    ]
    save("out/checkpoint-1/trainer_state.json", {"log_history": history[:2], "max_steps": 2})
    save("out/checkpoint-2/trainer_state.json", {"log_history": history, "max_steps": 2})
    (found,) = read_curves(save("out/other.txt", "x").parent)
    assert found.kind == "trl"
    assert found.total_steps == 2
    assert found.series["critic_rewards_mean"].values == (0.25, 0.5)
    assert found.series["validation_rewards_mean"].values == (0.5,)
    assert found.series["validation_response_length_mean"].values == (60.0,)
    assert found.series["response_length_mean"].steps == (2,)
    assert set(found.unknown) == {"kl", "epoch"}
    assert found.repeated_steps == 0


def test_metric_lines_alone_are_read(run: RunFolder, save: Save) -> None:
    (found,) = read_curves(save("metrics.jsonl", run.metrics.read_text()))
    assert found.kind == "step-lines"
    assert (
        found.series["critic_rewards_mean"]
        == (read_curves(run.path)[0].series["critic_rewards_mean"])
    )


@pytest.mark.parametrize(
    "history", [7, [{"reward": 1.0}], [{"step": 1, "reward": float("inf")}], ["x"]]
)
def test_a_damaged_history_is_one_message(history: object, save: Save) -> None:
    with pytest.raises(DataError, match=r"trainer_state\.json"):
        read_curves(save("trainer_state.json", {"log_history": history}))


def test_a_gradient_norm_that_overflowed_is_left_out_and_noted(save: Save) -> None:
    line = '{"step": 1, "reward": 0.5, "grad_norm": NaN}\n{"step": 2, "reward": 0.6}\n'
    (found,) = read_curves(save("log.jsonl", line))
    assert "actor_grad_norm" not in found.series
    assert any("grad_norm" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere.json", "can't read"), ("folder", "no metrics that can be read")]
)
def test_nothing_there_is_one_message(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=message):
        read_curves(tmp_path / name)


def test_two_tables_in_a_folder_are_asked_about(save: Save) -> None:
    text = "step_number,train_reward_mean\n1,0.5\n"
    path = save("jobs/a/step_wise_training_metrics.csv", text)
    save("jobs/b/step_wise_training_metrics.csv", text)
    with pytest.raises(DataError, match="several files"):
        read_curves(path.parent.parent)


def test_a_kind_that_is_asked_for_and_not_there_is_one_message(save: Save) -> None:
    path = save("metrics.jsonl", json.dumps({"step": 1, "reward": 1.0}))
    with pytest.raises(DataError, match="is no mantle"):
        read_curves(path, kind="mantle")


def test_a_log_line_may_begin_with_a_bracket_and_a_repeated_step_counts(save: Save) -> None:
    lines = [f"[2026-02-13] step:{step} - critic/rewards/mean:{step / 10}" for step in (1, 2, 2)]
    (found,) = read_curves(save("a.log", "\n".join([*lines, "step:3 - critic/rewards/mean:0.9"])))
    assert found.series["critic_rewards_mean"].values == (0.1, 0.2, 0.9)
    assert found.repeated_steps == 1
