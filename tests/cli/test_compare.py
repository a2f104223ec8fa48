"""`rft compare` as a user and as CI meet it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.contract.events import message_event, metrics_event
from tests.run_folders import write_run

Make = Callable[..., str]
STEPS = 40


def value(step: int, *, gain: float, noise: float) -> float:
    rise = (1 - math.exp(-4 * step / STEPS)) / (1 - math.exp(-4))
    return 0.3 + 0.7 * gain * rise + noise


@pytest.fixture
def run(tmp_path: Path) -> Make:
    """Return a function that writes a run folder and gives its path."""

    def write(name: str, *, gain: float = 0.5, noise: float = 0.005, seed: int = 0) -> str:
        random_ = random.Random(f"{name}{seed}")
        lines = []
        for step in range(1, STEPS + 1):
            reward = value(step, gain=gain, noise=random_.gauss(0, noise))
            lines.append({"step": step, "total_steps": STEPS, "critic_rewards_mean": reward})
        with write_run(tmp_path / "runs", name, lines=lines, steps={"total": STEPS}) as folder:
            return str(folder.path)

    return write


@pytest.fixture
def job(tmp_path: Path) -> Make:
    """Return a function that writes a mantle job's events and gives the path."""

    def write(name: str, *, gain: float = 0.5) -> str:
        random_ = random.Random(name)
        events = [message_event("Job started", created_at=0)]
        for step in range(1, STEPS + 1):
            reward = value(step, gain=gain, noise=random_.gauss(0, 0.005))
            values = {"step": step, "total_steps": STEPS, "critic_rewards_mean": reward}
            events.append(metrics_event(values, created_at=step))
        random_.shuffle(events)
        path = tmp_path / name
        path.write_text(json.dumps(events))
        return str(path)

    return write


def test_seeds_against_a_job_of_the_same_shape_pass(
    run: Make, job: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [run(f"seed{n}") for n in range(5)]
    out = tmp_path / "out"
    assert main(["compare", *seeds, "--bedrock", job("a.json"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Bedrock a.json" in printed
    assert "Same shape within 0.1: Training rewards." in printed
    assert {path.name for path in out.iterdir()} == {"compare.html", "compare.svg", "compare.png"}


def test_a_recipe_that_learns_less_fails(run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    good = [run(f"a{n}") for n in range(3)]
    bad = [run(f"b{n}", gain=0.1) for n in range(3)]
    assert main(["compare", *good, "--with", *bad, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "different"
    (comparison,) = found["comparisons"]
    assert comparison["axis"] == "prompts"
    assert comparison["metrics"][0]["differences"]["gain"]["b_minus_a"] < -0.2
    assert found["order"] is None


def test_cannot_tell_passes_unless_strict(run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", run("a"), "--with", run("b")]
    assert main(arguments) == 0
    assert "Cannot tell" in capsys.readouterr().out
    assert main([*arguments, "--strict"]) == 1


def test_the_margin_and_the_top_are_the_user_s(
    run: Make, job: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [run(f"seed{n}") for n in range(5)]
    given = ["--margin", "0.001", "--top", "4", "--batch-size", "16", "--axis", "prompts", "--json"]
    assert main(["compare", *seeds, "--bedrock", job("a.json"), *given]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert comparison["verdict"] == "cannot tell"
    assert (comparison["margin"], comparison["top_reward"]) == (0.001, 4.0)
    assert comparison["axis"] == "prompts"


def test_two_recipes_and_their_jobs_are_put_in_order(
    run: Make, job: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    low = [run(f"a{n}", gain=0.3) for n in range(3)]
    high = [run(f"b{n}", gain=0.7) for n in range(3)]
    jobs = ["--bedrock", job("a.json", gain=0.3), "--bedrock", job("b.json", gain=0.7)]
    assert main(["compare", *low, "--with", *high, *jobs, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["order"]["verdict"] == "same order"
    assert found["order"]["kendall_tau"]["value"] == 1.0
    turned = [jobs[0], jobs[3], jobs[2], jobs[1]]
    assert main(["compare", *low, "--with", *high, *turned]) == 1
    assert "turned round in the cloud" in capsys.readouterr().out


def test_hidden_marks_in_a_file_are_shown_and_not_obeyed(
    run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.csv"
    rows = "".join(f"{step},{step / 99},high\n" for step in range(1, 20))
    job.write_text("step_number,train_reward_mean,\x1b[2Jmood\n" + rows)
    assert main(["compare", run("a"), "--bedrock", str(job)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u241b[2Jmood" in printed


def test_a_run_is_found_by_its_name_under_runs(
    run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("a")
    run("b")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "a", "--with", "b"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["A"], "these can't be paired"),
        (["A", "B"], "the first with the rest: rft compare"),
        (["A", "--with", "B", "--with", "C"], "these can't be paired"),
        (["A", "--with", "B", "--bedrock", "J"], "these can't be paired"),
        (["A", "A", "--with", "B"], "the very same numbers"),
        (["A", "--with", "nowhere"], "can't read the file"),
        (["A", "--bedrock", "J", "--axis", "prompts"], "how many prompts"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, run: Make, job: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"A": run("a"), "B": run("b"), "C": run("c"), "J": job("j.json")}
    assert main(["compare", *(paths.get(each, each) for each in arguments)]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert "Traceback" not in printed.err


def test_a_plan_says_what_it_takes_before_anything_is_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a checkout may hold a run of the recipe's name
    assert main(["compare", "--plan", "quickstart"]) == 0
    printed = capsys.readouterr().out
    assert "recorded runs of the quickstart" in printed
    assert "against one job" in printed
    assert main(["compare", "--plan", "quickstart", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["steps"] == 45
    least = found["against_one_job"][0]
    assert (least["a"], least["b"], least["steps"]) == (3, 1, 45)
    assert least["same"] < 0.05
    longest = found["against_as_many"][-1]
    assert longest["same"] > 0.9


def test_a_plan_takes_the_noise_of_runs(run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = (run(name) for name in "abc")
    assert main(["compare", "--plan", a, b, c, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["steps"], found["noise_from"]) == (STEPS, "the runs themselves")
    assert main(["compare", "--plan", a, "--with", b]) == 2
    assert "a plan compares nothing" in capsys.readouterr().err


def test_cannot_tell_says_what_it_would_take(
    run: Make, job: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [run(f"seed{n}", noise=0.06) for n in range(2)]
    assert main(["compare", *seeds, "--bedrock", job("a.json"), "--json"]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert comparison["verdict"] == "cannot tell"
    needed = comparison["metrics"][0]["needed"]
    assert needed["now"]["steps"] == STEPS
    assert needed["best"]["same"] > needed["now"]["same"]
    assert ", 2 runs against 1 as here in " in comparison["metrics"][0]["words"]


@pytest.mark.parametrize("option", [["--margin", "0"], ["--margin", "2"], ["--batch-size", "0"]])
def test_a_value_out_of_range_is_a_usage_error(option: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["compare", "a", "--with", "b", *option])
    assert exit_.value.code == 2


def test_a_figure_for_a_paper_is_made_by_options(
    run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = ([run(f"{side}{n}") for n in range(3)] for side in "ab")
    out, curves = tmp_path / "out", tmp_path / "curves.csv"
    figure = ["--out", str(out), "--format", "pdf", "--panel", "Training rewards", "--no-verdict"]
    labels = ["--label", "A=GRPO, 3 seeds", "--label", "B=Dr. GRPO"]
    arguments = ["compare", *a, "--with", *b, *labels]
    assert main([*arguments, *figure, "--csv", str(curves)]) == 0
    printed = capsys.readouterr().out
    assert "A  GRPO, 3 seeds" in printed
    assert "gain: the share of the room above the start that was won" in printed
    assert "B - A: the number that the verdict rests on" in printed
    assert {path.name for path in out.iterdir()} == {"compare.html", "compare.pdf"}
    assert curves.read_text().startswith("comparison,metric,side,label,kind,run,axis,x,y,unit\n")
    assert main([*arguments, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert (found["label_a"], found["label_b"]) == ("GRPO, 3 seeds", "Dr. GRPO")
    first = found["curves"][0]
    assert (first["kind"], first["run"], len(first["x"]), len(first["y"])) == ("run", "a0", 40, 40)
    difference = found["metrics"][0]["differences"][found["metrics"][0]["decisive"]]
    assert difference["confidence"] == pytest.approx(0.9)


@pytest.mark.parametrize("key", ["C", "A2", "B0", "A01", "x"])
def test_a_label_of_no_side_is_refused(
    key: str, run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", run("a"), "--with", run("b"), "--label", f"{key}=GRPO"]) == 2
    assert "no side of this name" in capsys.readouterr().err


def test_options_of_a_picture_need_a_place_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "a", "--with", "b", "--panel", "Training rewards"])
    assert "--out" in capsys.readouterr().err
