"""Files that other people's trainers and trackers write, as they really are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.compare import compare
from bedrock_rft_sim.compare.series import Curves, read_curves
from bedrock_rft_sim.errors import DataError

Save = Callable[..., Path]
REWARD, VALIDATION = "critic_rewards_mean", "validation_rewards_mean"


def only(path: Path) -> Curves:
    (found,) = read_curves(path)
    return found


@pytest.mark.parametrize(
    "spelt",
    [
        "np.float64(0.25)",
        "np.float32(0.25)",
        "numpy.float16(0.25)",
        "float32(0.25)",
        "tensor(0.25)",
        "tensor(0.2500, device='cuda:0')",
        "tensor(0.25, device='cuda:0', grad_fn=<MeanBackward0>)",
        "tensor([0.25])",
        "array(0.25, dtype=float32)",
        "2.5e-1",
    ],
)
def test_a_number_is_read_however_numpy_and_torch_spell_it(spelt: str, save: Save) -> None:
    line = f"step:1 - critic/rewards/mean:{spelt} - actor/entropy:np.float64(0.5)\n"
    found = only(save("a.log", line))
    assert found.series[REWARD].values == (0.25,)
    assert found.series["actor_entropy"].values == (0.5,)
    record = json.dumps({"step": 1, "critic/rewards/mean": spelt})
    assert only(save("a.jsonl", record)).series[REWARD].values == (0.25,)


@pytest.mark.parametrize(
    "record",
    [
        {"step": 3, "data": {"critic/rewards/mean": 0.25, "response_length/mean": 9}},
        {"step": 3, "critic/rewards/mean": 0.25, "response_length/mean": 9},
        {"step": 3, "metrics": {"critic/rewards/mean": 0.25, "response_length/mean": 9}},
        {"step": 3, "critic": {"rewards": {"mean": 0.25}}, "response_length": {"mean": 9}},
        {"_step": 3, "train/reward": 0.25, "train/completions/mean_length": 9},
        {"training/global_step": 3, "critic/rewards/mean": 0.25, "response_length/mean": 9},
    ],
    ids=["verl", "flat", "metrics", "nested", "wandb", "verl's step"],
)
def test_json_lines_of_every_shape_are_read(record: dict, save: Save) -> None:
    found = only(save("a.jsonl", json.dumps(record) + "\n"))
    assert found.series[REWARD].steps == (3,)
    assert found.series[REWARD].values == (0.25,)
    assert found.series["response_length_mean"].values == (9,)
    assert found.unknown == ()


@pytest.mark.parametrize(
    "odd",
    [
        "val-core/my math set/reward/mean@1:0.5",
        "val-core/sums:v2/acc/mean@1:0.5",
        "val-core/sums - hard/acc/mean@1:0.5",
        "val-core/sums (hard)/acc/mean@1:tensor(0.5, device='cuda:0')",
    ],
)
def test_an_odd_name_in_a_log_is_read_and_costs_no_neighbour(odd: str, save: Save) -> None:
    found = only(save("a.log", f"step:1 - actor/entropy:1.5 - {odd} - critic/rewards/mean:0.25\n"))
    assert found.series["actor_entropy"].values == (1.5,)
    assert found.series[VALIDATION].values == (0.5,)
    assert found.series[REWARD].values == (0.25,)


def test_a_value_that_is_no_number_and_a_progress_bar_cost_no_neighbour(save: Save) -> None:
    text = (
        "step:1 - note:warm up - critic/rewards/mean:0.25 - actor/entropy:1.5 Training:  3%|# | 1/9"
        " [00:10<01:30, 10s/it]\n"
    )
    found = only(save("a.log", text))
    assert found.series[REWARD].values == (0.25,)
    assert found.series["actor_entropy"].values == (1.5,)
    assert any("note (1)" in note and "'warm up'" in note for note in found.notes)


@pytest.mark.parametrize("value", ["", "???", "0.4 of 1", "none at all", "1,5", "np.float64(x)"])
def test_nothing_a_log_says_in_place_of_a_number_goes_uncounted(value: str, save: Save) -> None:
    verl = "step:{} - critic/rewards/mean:{} - actor/entropy:1.2\n"
    found = only(save("a.log", verl.format(1, 0.5) + verl.format(2, value) + verl.format(3, 0.6)))
    assert found.series["critic_rewards_mean"].steps == (1, 3)
    assert found.series["actor_entropy"].steps == (1, 2, 3)
    assert "critic/rewards/mean (1); the first is" in found.notes[0]
    assert "a.log:2" in found.notes[0]
    hyperpod = "iteration 1/9 | global_step={} | train_rm_score={} | saving: to the disk\n"
    text = hyperpod.format(1, 0.5) + hyperpod.format(2, value) + hyperpod.format(3, 0.6)
    found = only(save("b.log", text))
    assert found.series["critic_rewards_mean"].steps == (1, 3)
    assert "train_rm_score (1); the first is" in found.notes[0]
    assert "saving" not in found.notes[0]


@pytest.mark.parametrize("step", ["x", "", "3.5", "-1"])
def test_a_line_whose_step_is_no_number_is_counted(step: str, save: Save) -> None:
    for line in (
        "step:{} - critic/rewards/mean:0.5\n",
        "iteration 1/9 | global_step={} | train_rm_score=0.5\n",
    ):
        found = only(save("a.log", line.format(1) + line.format(step) + line.format(3)))
        assert found.series["critic_rewards_mean"].steps == (1, 3)
        assert "1 line left out that can't be read, the first" in found.notes[0]
        assert "a.log:2: the step is no whole number from 0" in found.notes[0]


@pytest.mark.parametrize(
    "name",
    [
        "val-core/openai/gsm8k/acc/mean@1",
        "val-core/my set/reward/mean@1",
        "val/test_score/openai/gsm8k",
    ],
)
def test_verl_s_validation_is_known_by_all_its_names(name: str, save: Save) -> None:
    found = only(save("a.log", f"step:0 - {name}:0.25\nstep:5 - {name}:0.5\n"))
    assert found.series[VALIDATION].values == (0.25, 0.5)
    flat = name.replace("/", "_")
    tag = only(save(f"run-a-tag-{flat}.csv", "Wall time,Step,Value\n1,5,0.5\n"))
    assert tag.series[VALIDATION].values == (0.5,)


def test_the_best_of_several_answers_is_no_validation_reward_and_is_listed(save: Save) -> None:
    names = ("val-core/a/acc/mean@8", "val-core/a/acc/best@8/mean", "val-aux/a/reward/mean@1")
    found = only(save("a.log", "step:0 - " + " - ".join(f"{name}:0.5" for name in names)))
    assert found.unknown == names
    assert VALIDATION not in found.series


def test_two_validation_sets_are_listed_and_neither_is_taken_for_the_other(save: Save) -> None:
    first, second = "val-core/a/acc/mean@1", "val-core/b/acc/mean@1"
    found = only(save("a.log", f"step:0 - {first}:0.25 - {second}:0.75\n"))
    assert VALIDATION not in found.series
    assert found.unknown == (first, second)
    assert found.repeated_steps == 0
    assert any(first in note and VALIDATION in note for note in found.notes)


def test_old_names_of_verl_and_trl_are_known(save: Save) -> None:
    log = only(save("a.log", "step:1 - actor/entropy_loss:1.5 - critic/rewards/mean:0.25\n"))
    assert log.series["actor_entropy"].values == (1.5,)
    history = [
        {"step": 1, "reward": 0.25, "completion_length": 40.0},
        {"step": 1, "eval_reward": 0.5, "eval_completion_length": 30.0},
        {"step": 2, "reward": 0.5, "completions/mean_length": 38.0},
    ]
    state = only(save("trainer_state.json", {"log_history": history}))
    assert state.series["response_length_mean"].values == (40.0, 38.0)
    assert state.series["validation_response_length_mean"].values == (30.0,)
    table = only(save("wb.csv", "Step,train/reward,train/completion_length\n1,0.25,40\n"))
    assert table.series["response_length_mean"].values == (40.0,)


@pytest.mark.parametrize(
    "table",
    [
        ",_step,_runtime,train/reward\n0,7,1.5,0.25\n",
        "_runtime,_step,train/reward\n1.5,7,0.25\n",
        "train/reward,_timestamp,train/global_step,_step\n0.25,1700,7,3\n",
        "Unnamed: 0,train/reward,global_step\n0,0.25,7\n",
        "train/reward,trainer/global_step,_step\n0.25,,7\n",
    ],
)
def test_a_history_is_read_whatever_the_order_of_its_columns(table: str, save: Save) -> None:
    found = only(save("history.csv", table))
    assert found.series[REWARD].steps == (7,)
    assert found.series[REWARD].values == (0.25,)
    assert set(found.unknown) <= {"_runtime", "_timestamp"}


@pytest.mark.parametrize(
    "table",
    [
        '"Relative Time (Process)","seed-1 - train/reward"\n"12.3","0.3"\n',
        "Wall Time,seed-1 - critic/rewards/mean\n1700,0.3\n",
        "_runtime,train/reward\n1.5,0.25\n",
        "epoch,score of mine\n1,0.25\n",
    ],
)
def test_a_table_without_steps_says_so(table: str, save: Save) -> None:
    with pytest.raises(DataError, match=r"no column of steps[\s\S]*x axis") as caught:
        read_curves(save("wb.csv", table))
    for name in table.partition("\n")[0].split(","):
        assert name.strip('"') in caught.value.found
    assert "name the column that counts the steps step" in caught.value.hint


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_table_that_is_not_separated_by_commas_says_so(mark: str, save: Save) -> None:
    with pytest.raises(DataError, match="not separated by commas") as caught:
        read_curves(save("a.csv", f"step{mark}reward\n1{mark}0.25\n"))
    assert repr(mark) in caught.value.found


STEPS = ("(TaskRunner pid=1) step:1 - critic/rewards/mean:0.25", "step:2 - critic/rewards/mean:0.5")
INSIGHTS = [
    {"@timestamp": "2026-03-08 22:41:00.000", "@message": "step:2 - critic/rewards/mean:0.5"},
    {"@timestamp": "2026-03-08 22:40:30.000", "@message": "step:2 - critic/rewards/mean:0.4"},
    {"@timestamp": "2026-03-08 22:40:00.000", "@message": STEPS[0]},
]


def insights_csv() -> str:
    rows = (f'{row["@timestamp"]},"{row["@message"]}",1' for row in INSIGHTS)
    return "@timestamp,@message,@logStream\n" + "\n".join(rows) + "\n"


def query_results() -> dict:
    fields = ([{"field": key, "value": row[key]} for key in row] for row in INSIGHTS)
    return {"results": list(fields), "status": "Complete"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("insights.csv", insights_csv()),
        ("insights.json", INSIGHTS),
        ("results.json", query_results()),
        ("events.csv", "timestamp,message\n" + "\n".join(f"1700,{step}" for step in STEPS) + "\n"),
        ("events.json", {"events": [{"timestamp": n, "message": s} for n, s in enumerate(STEPS)]}),
        ("docker.log", "\n".join(json.dumps({"log": step + "\n"}) for step in STEPS)),
        ("agent.json", [{"timestamp": 1, "message": json.dumps({"log": s})} for s in STEPS]),
    ],
)
def test_log_lines_are_read_as_cloudwatch_and_agents_export_them(
    name: str, content: object, save: Save
) -> None:
    found = only(save(name, content))
    assert found.kind == "verl-log"
    assert found.series[REWARD].steps == (1, 2)
    assert found.series[REWARD].values == (0.25, 0.5)  # of a step told twice, the later


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        (
            "a.jsonl",
            '{"step": 1, "reward": 0.25}\n{"step": 2,\n{"step": 3, "reward": 0.5}\n',
            2,
        ),
        ("a.jsonl", 'not json\n{"step": 1, "reward": 0.25}\n{"step": 3, "reward": 0.5}\n', 1),
        ("a.jsonl", '{"step": 1, "reward": 0.25}\n{"reward": 9}\n{"step": 3, "reward": 0.5}\n', 2),
        ("a.jsonl", '{"step": 1, "reward": 0.25}\n{"step": "x"}\n{"step": 3, "reward": 0.5}\n', 2),
        ("a.csv", "Step,train/reward\n1,0.25\n2\n3,0.5\n", 3),
        ("a.csv", 'Step,train/reward\n1,0.25\n2,"0.3\n3,0.5\n', 3),
        ("a.csv", "Step,train/reward\n1,0.25\n,0.3\n3,0.5\n", 3),
        ("a.csv", "step_number,train_reward_mean\n1,0.25\nsecond,0.3\n3,0.5\n", 3),
        ("run-a-tag-train_reward.csv", "Wall time,Step,Value\n1,1,0.25\n2\n3,3,0.5\n", 3),
    ],
)
def test_a_line_that_can_not_be_read_is_counted_and_shown(
    name: str, text: str, where: int, save: Save
) -> None:
    path = save(name, text)
    found = only(path)
    assert found.series[REWARD].steps == (1, 3)
    assert found.series[REWARD].values == (0.25, 0.5)
    (note,) = found.notes
    assert note.startswith("1 line")
    assert f"{path}:{where}" in note


def test_a_log_that_begins_with_a_brace_is_still_a_log(save: Save) -> None:
    text = "{'trainer': {'n_gpus': 1}}\nstep:1 - critic/rewards/mean:0.25\n"
    assert only(save("a.log", text)).series[REWARD].values == (0.25,)


@pytest.mark.parametrize("value", ["nan", "-inf", "np.float64(nan)", "1e999"])
def test_a_reward_that_is_not_finite_is_refused_as_such(value: str, save: Save) -> None:
    for name, text in (
        ("a.log", f"step:1 - critic/rewards/mean:{value}\n"),
        ("a.csv", f"Step,train/reward\n1,{value}\n"),
    ):
        with pytest.raises(DataError, match=r"is not finite[\s\S]*has failed"):
            read_curves(save(name, text))


def test_text_in_place_of_a_number_is_left_out_by_that_name(save: Save) -> None:
    text = "Step,train/reward,train/kl\n1,0.25,nan\n2,high,0.1\n3,0.5,0.1\n"
    path = save("a.csv", text)
    found = only(path)
    assert found.series[REWARD].values == (0.25, 0.5)
    words, infinite = found.notes
    assert "train/reward (1)" in words
    assert f"'high' at {path}:3" in words
    assert "not finite" in infinite
    assert "train/kl" in infinite


def test_what_has_no_name_here_is_listed_by_the_comparison(save: Save) -> None:
    lines = "".join(f"step:{n} - critic/rewards/mean:{n / 99} - perf/mfu:0.4\n" for n in range(30))
    other = lines.replace("/99", "/98").replace("perf/mfu:0.4", "perf/mfu:0.5")
    a, b = save("a.log", lines), save("b.log", other)
    found = compare(read_curves(a), read_curves(b), resamples=0)
    assert found.as_json()["unknown"] == {str(a): ("perf/mfu",), str(b): ("perf/mfu",)}
    assert any("not compared (1): perf/mfu" in note for note in found.notes)
