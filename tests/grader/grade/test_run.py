from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import read_rows
from bedrock_rft_sim.errors import DataError, HandlerError, RecipeError, RunFolderError
from bedrock_rft_sim.grader.grade.answers import file_batches
from bedrock_rft_sim.grader.grade.run import GradedAgain, Source, grade_again, open_source
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.rollouts import Rollout


def grade(path: Path, *rewards: str, out: Path | None = None, **options: Any) -> GradedAgain:
    settings: dict[str, Any] = {"data": None, "recipe": None, "validation": False, **options}
    return grade_again(open_source(path, **settings), rewards, out=out)


def test_the_run_s_own_reward_changes_nothing(
    saved_run: Callable[..., Path], rewards: dict[str, str]
) -> None:
    found = grade(saved_run(), rewards["exact"], validation=True)
    assert found.ok
    values = found.as_json()
    [pair] = values["agreement"]
    assert (pair["first"], pair["equal_share"], pair["spearman"]) == ("recorded", 1.0, 1.0)
    [replay] = values["replay"]
    assert replay["overall"]["recorded"] == replay["overall"]["new"]
    assert replay["overall"]["advantage_change"] == 0.0
    assert [step["step"] for step in replay["steps"]] == [1, 2]
    assert replay["validations"] == [
        {"step": 0, "answers": 1, "recorded_mean": 1.0, "new_mean": 1.0},
        {"step": 2, "answers": 1, "recorded_mean": 0.0, "new_mean": 0.0},
    ]
    assert values["rewards"][0]["answers"] == 18


def test_another_reward_shows_what_would_have_changed(
    saved_run: Callable[..., Path], rewards: dict[str, str]
) -> None:
    [replay] = grade(saved_run(), rewards["half"]).as_json()["replay"]
    first, second = replay["steps"]
    # sum-002 was all wrong on record; two of its answers hold a digit.
    assert (second["recorded"]["all_wrong"], second["new"]["all_wrong"]) == (0.5, 0.0)
    assert (second["recorded"]["zero_variance"], second["new"]["zero_variance"]) == (0.5, 0.0)
    assert (first["recorded"]["all_right"], first["new"]["all_right"]) == (0.5, 0.5)
    assert first["recorded"]["reward_mean"] == 6 / 8
    assert first["new"]["reward_mean"] == 6.5 / 8
    # In sum-000 "4" was below the mean of 1, 0, 0, 1 and stays below that of 1, .5, 0, 1.
    assert first["flipped_share"] == 0.0
    assert first["advantage_change"] > 0


def test_the_opposite_reward_flips_every_mixed_advantage(
    saved_run: Callable[..., Path], rewards: dict[str, str]
) -> None:
    [replay] = grade(saved_run(), rewards["opposite"]).as_json()["replay"]
    assert replay["overall"]["flipped_share"] == 0.5
    assert replay["overall"]["recorded"]["all_right"] == replay["overall"]["new"]["all_wrong"]


def test_two_rewards_are_compared_with_the_record_and_each_other(
    saved_run: Callable[..., Path], rewards: dict[str, str]
) -> None:
    exact, half = rewards["exact"], rewards["half"]
    pairs = grade(saved_run(), exact, half).as_json()["agreement"]
    named = {(pair["first"], pair["second"]): pair for pair in pairs}
    assert set(named) == {("recorded", exact), ("recorded", half), (exact, half)}
    found = named[exact, half]
    assert found["equal_share"] == 12 / 16
    assert found["positive"]["only_second"] == 4
    assert [each["text"] for each in found["differences"]] == ["4", "1", "8"]
    assert found["differences"][0] == {
        "id": "sum-000", "step": 1, "first": 0.0, "second": 0.5, "text": "4",
    }  # fmt: skip


def test_an_answer_the_reward_fails_on_has_no_score_and_its_group_is_left_out(
    saved_run: Callable[..., Path], rewards: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "scores.jsonl"
    found = grade(saved_run(), rewards["fails"], rewards["exact"], out=out)
    assert not found.ok
    failing, exact = found.as_json()["rewards"]
    assert (failing["scored"], failing["answers"], exact["scored"]) == (12, 16, 16)
    [error] = failing["errors"]
    assert (error["kind"], error["count"]) == ("raises", 4)
    assert error["first_ids"] == ["sum-000#2", "sum-002#2", "sum-002#3"]
    assert "no digit" in error["message"]
    assert failing["exact"]
    replay = found.as_json()["replay"][0]
    assert (replay["overall"]["groups"], replay["overall"]["groups_left_out"]) == (1, 3)
    assert replay["steps"][1]["new"] is None
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    broken = [line for line in lines if line["errors"]]
    assert [line["scores"] for line in broken] == [
        {rewards["fails"]: None, rewards["exact"]: 0.0}
    ] * 4


def test_however_many_answers_fail_each_other_one_keeps_its_score(
    write_answers: Callable[..., Path], rewards: dict[str, str]
) -> None:
    texts = ["many" if number % 3 else "7" for number in range(300)]
    reference = {"final_answer": "7"}
    records = ({"prompt": "?", "answer": text, "reference_answer": reference} for text in texts)
    found = grade(write_answers(*records), rewards["fails"])
    assert found.scores[0].values == [None if text == "many" else 1.0 for text in texts]
    assert found.as_json()["rewards"][0]["exact"]


def test_a_reward_that_hangs_is_not_asked_about_each_answer(
    write_answers: Callable[..., Path], tmp_path: Path
) -> None:
    reward = tmp_path / "hangs.py"
    reward.write_text("import time\ndef lambda_handler(event, context):\n    time.sleep(60)\n")
    knobs = ["local.lambda.timeout=1", f"local.reward={reward}"]
    recipe = load_recipe("quickstart", sets=knobs)
    source = write_answers(*({"prompt": "?", "answer": str(number)} for number in range(64)))
    batches = file_batches(source, {})
    found = grade_again(Source("answers", batches, recipe, is_run=False), [str(reward)])
    [error] = found.as_json()["rewards"][0]["errors"]
    assert (error["kind"], error["count"]) == ("times out", 64)
    assert not found.as_json()["rewards"][0]["exact"]


def test_the_file_of_scores_holds_every_answer_in_order(
    saved_run: Callable[..., Path], rewards: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "scores.jsonl"
    grade(saved_run(), rewards["half"], out=out, validation=True)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 18
    assert lines[1] == {
        "id": "sum-000",
        "sample_id": "sum-000#1",
        "split": "train",
        "step": 1,
        "sample": 1,
        "recorded": 0.0,
        "scores": {rewards["half"]: 0.5},
        "components": {rewards["half"]: {"length": 1.0}},
        "errors": {},
    }
    assert [line["split"] for line in lines[-2:]] == ["validation", "validation"]
    assert not (tmp_path / "scores.jsonl.part").exists()


def test_what_is_graded_before_an_error_is_kept_under_another_name(
    write_answers: Callable[..., Path], rewards: dict[str, str], tmp_path: Path
) -> None:
    good = {"prompt": "?", "answer": "7", "reference_answer": {"final_answer": "7"}}
    source, out = write_answers(*[good] * 256, {"broken": 1}), tmp_path / "scores.jsonl"
    with pytest.raises(DataError, match=":257"):
        grade(source, rewards["exact"], out=out)
    assert not out.exists()
    assert len((tmp_path / "scores.jsonl.part").read_text().splitlines()) == 256


def test_a_reward_that_can_not_be_loaded_ends_it_all(
    saved_run: Callable[..., Path], tmp_path: Path
) -> None:
    reward = tmp_path / "broken.py"
    reward.write_text("import no_such_module\n")
    with pytest.raises(HandlerError, match="no_such_module"):
        grade(saved_run(), str(reward))


def test_a_rollout_without_its_row_is_one_error_with_the_id(
    saved_run: Callable[..., Path], rewards: dict[str, str], write_rows: Callable[..., Path]
) -> None:
    run = saved_run()
    with pytest.raises(DataError, match="'sum-001'"):
        grade(run, rewards["exact"], data=write_rows(1, "other.jsonl"))


def test_the_prompts_that_a_run_kept_serve_where_its_data_is_gone(
    saved_run: Callable[..., Path], rewards: dict[str, str], tmp_path: Path
) -> None:
    path = saved_run()
    data = tmp_path / "train.jsonl"
    with RunFolder.open(path, write=True) as folder:
        folder.write_prompts(read_rows(data), read_rows(tmp_path / "validation.jsonl"))
    data.unlink()
    assert grade(path, rewards["exact"], validation=True).ok


def test_data_that_moved_is_named_and_can_be_given(
    saved_run: Callable[..., Path], rewards: dict[str, str], tmp_path: Path
) -> None:
    run = saved_run()
    moved = (tmp_path / "train.jsonl").rename(tmp_path / "moved.jsonl")
    with pytest.raises(DataError, match="not where its recipe says") as error:
        grade(run, rewards["exact"])
    assert "--data" in str(error.value)
    assert grade(run, rewards["exact"], data=moved).ok


def test_rows_held_out_of_the_training_file_are_found_for_validation(
    tmp_path: Path, write_rows: Callable[..., Path], rewards: dict[str, str]
) -> None:
    recipe = load_recipe("gsm8k-open-weight", sets=[f"local.trainingData={write_rows(8)}"])
    with RunFolder.create(tmp_path / "runs", "open-weight") as folder:
        folder.write_recipe(recipe.text, resolved=recipe.resolved(), request={})
        folder.write_validation(0, [Rollout(0, "sum-001", 0, "5", [1], "stop", 1.0, [], None)])
    found = grade(folder.path, rewards["exact"], validation=True).as_json()
    assert found["replay"][0]["validations"][0]["new_mean"] == 1.0
    assert found["replay"][0]["steps"] == []
    with pytest.raises(DataError, match="no rollouts"):
        grade(folder.path, rewards["exact"])


def test_a_damaged_record_of_the_recipe_is_one_error(
    saved_run: Callable[..., Path], rewards: dict[str, str]
) -> None:
    run = saved_run()
    (run / "recipe.resolved.json").write_text('{"local": {"model": 5}}')
    with pytest.raises(RunFolderError, match=r"local\.model is 5, not an object"):
        grade(run, rewards["exact"])
    (run / "recipe.resolved.json").write_text('{"local": {}}')
    with pytest.raises(DataError, match="can't be read back"):
        grade(run, rewards["exact"])


def test_a_recipe_that_is_given_wins_over_the_run_s_own(
    saved_run: Callable[..., Path], rewards: dict[str, str]
) -> None:
    with pytest.raises(DataError, match="rows with other ids"):
        grade(saved_run(), rewards["exact"], recipe="quickstart")


def test_a_file_is_graded_with_the_recipe_s_lambda_and_profile(
    write_answers: Callable[..., Path], rewards: dict[str, str], tmp_path: Path
) -> None:
    reward = tmp_path / "limits.py"
    reward.write_text(
        "def lambda_handler(event, context):\n"
        "    return [{'id': s['id'], 'aggregate_reward_score':"
        " int(context.memory_limit_in_mb) + ('metadata' in s) / 2} for s in event]\n"
    )
    source = write_answers({"prompt": "?", "answer": "7"})
    alone = grade_again(
        open_source(source, data=None, recipe=None, validation=False), [str(reward)]
    )
    assert alone.scores[0].values == [128.5]
    of_recipe = open_source(source, data=None, recipe="quickstart", validation=False)
    assert grade_again(of_recipe, [str(reward)], profile="root").scores[0].values == [512.0]


def test_numbers_too_large_for_json_are_unknown_and_not_infinite(
    write_answers: Callable[..., Path], tmp_path: Path
) -> None:
    reward = tmp_path / "huge.py"
    reward.write_text(
        "def lambda_handler(event, context):\n"
        "    return [{'id': s['id'], 'aggregate_reward_score':"
        " float(s['messages'][-1]['content'])} for s in event]\n"
    )
    source = write_answers(*({"prompt": "?", "answer": text} for text in ("1.7e308", "-1.7e308")))
    values = grade(source, str(reward)).as_json()
    assert values["rewards"][0]["sd"] is None
    json.dumps(values, allow_nan=False)


def test_the_same_reward_twice_is_compared_with_itself(
    write_answers: Callable[..., Path], rewards: dict[str, str]
) -> None:
    source = write_answers({"prompt": "?", "answer": "7", "reference_answer": "7"})
    [pair] = grade(source, "gsm8k", "gsm8k").as_json()["agreement"]
    assert (pair["first"], pair["second"], pair["equal_share"]) == ("gsm8k", "gsm8k (2)", 1.0)


def test_validation_is_a_run_s(write_answers: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="only a run"):
        open_source(write_answers({}), data=None, recipe=None, validation=True)


def test_an_unknown_reward_is_a_usage_error(
    write_answers: Callable[..., Path],
) -> None:
    source = write_answers({"prompt": "?", "answer": "7"})
    for reward in ("gsm9k", "./none.py"):
        with pytest.raises(RecipeError):
            grade(source, reward)
