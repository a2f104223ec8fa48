"""Whole probes: resumed after a kill, refused when they differ, filtered, advised."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sim.errors import DataError, EndpointError, RecipeError
from sim.probe import Endpoint, ProbePlan, manifest_path, plan_probe, probe, write_filtered
from sim.probe.advice import advise
from sim.probe.report import ProbeReport, summarise
from sim.probe.sample import ProbeSample
from sim.recipe import Recipe, load_recipe

LENGTH_REWARD = """
def lambda_handler(event, context):
    return [
        {
            "id": sample["id"],
            "aggregate_reward_score": float(len(sample["messages"][-1]["content"]) % 2),
        }
        for sample in event
    ]
"""


@pytest.fixture
def recipe(
    small_model: Callable[..., Path], write_rows: Callable[..., Path], tmp_path: Path
) -> Recipe:
    reward = tmp_path / "length_reward.py"
    reward.write_text(LENGTH_REWARD)
    return load_recipe(
        "quickstart",
        sets=[
            f"local.model={small_model('qwen3')}",
            f"local.trainingData={write_rows(24, 'train.jsonl')}",
            f"local.validationData={write_rows(6, 'validation.jsonl')}",
            f"local.reward={reward}",
            "local.device=cpu",
            "local.overrides.inferenceMaxTokens=6",
            "local.overrides.batchSize=4",
        ],
    )


def endpoint_for(planned: ProbePlan, stand_in: Any) -> Endpoint:
    return Endpoint(
        url=stand_in.url,
        model="m",
        key=None,
        max_tokens=8,
        temperature=1.0,
        top_p=1.0,
        reasoning_effort=None,
        samples=planned.samples,
        sleep=lambda _seconds: None,
    )


def untimed(report: ProbeReport) -> ProbeReport:
    return replace(report, grader_seconds=None)


def without_time(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "grader_s"}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_probe_killed_at_any_sample_resumes_to_the_same_samples(
    recipe: Recipe, tmp_path: Path
) -> None:
    planned = plan_probe(recipe, prompts=5, samples=3)
    whole = probe(planned, out=tmp_path / "whole.json")
    kept = (tmp_path / "whole.samples.jsonl").read_text()
    torn = kept[: len(kept) // 2]
    assert not torn.endswith("\n")
    (tmp_path / "killed.samples.jsonl").write_text(torn)
    resumed = probe(planned, out=tmp_path / "killed.json")
    assert untimed(resumed) == untimed(whole)
    files = [lines(tmp_path / f"{name}.samples.jsonl") for name in ("killed", "whole")]
    assert [without_time(each) for each in files[0]] == [without_time(each) for each in files[1]]
    assert json.loads((tmp_path / "killed.json").read_text())["graded"] == 15


def test_a_finished_probe_is_read_again_without_a_model(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan_probe(recipe, prompts=3, samples=2)
    first = probe(planned, out=tmp_path / "p.json")
    monkeypatch.delattr("sim.probe.run.LocalModel")
    assert probe(planned, out=tmp_path / "p.json") == first


def test_another_probe_is_not_mixed_into_the_same_file(recipe: Recipe, tmp_path: Path) -> None:
    probe(plan_probe(recipe, prompts=3, samples=2), out=tmp_path / "p.json")
    with pytest.raises(DataError, match=r"another probe(?s:.*)a difference in prompts, samples"):
        probe(plan_probe(recipe, prompts=4, samples=3), out=tmp_path / "p.json")


def test_prompts_are_drawn_at_random_with_the_recipe_s_seed(recipe: Recipe) -> None:
    drawn = [plan_probe(recipe, prompts=8, samples=2).rows for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert [row.line for row in drawn[0]] != sorted(row.line for row in drawn[0])
    assert len(plan_probe(recipe, prompts=1000, samples=2).rows) == 24


@pytest.mark.parametrize(("prompts", "samples"), [(0, 8), (4, 1), (-1, 2)])
def test_numbers_that_say_nothing_are_refused(recipe: Recipe, prompts: int, samples: int) -> None:
    with pytest.raises(RecipeError, match="at least 1 prompt and 2 samples"):
        plan_probe(recipe, prompts=prompts, samples=samples)


def test_an_endpoint_is_probed_with_what_the_request_says_not_with_this_machine_s_overrides(
    recipe: Recipe,
) -> None:
    settings = plan_probe(recipe, prompts=2, samples=2, elsewhere=True).recipe.settings
    assert (settings.inference_max_tokens, settings.batch_size) == (96, 16)


def test_a_sample_that_failed_has_no_grade_and_is_asked_for_again(
    recipe: Recipe, stand_in: Any, tmp_path: Path
) -> None:
    planned = plan_probe(recipe, prompts=4, samples=2)
    endpoint = endpoint_for(planned, stand_in)
    stand_in.script = [stand_in.answer("prompt refused", status=400)] * 2
    report = probe(planned, out=tmp_path / "p.json", endpoint=endpoint)
    assert (report.graded, report.missing, report.ok) == (6, 2, False)
    assert report.faults == {"status 400 prompt refused": 2}
    assert len(report.faulted_prompts) == 1
    assert all(s["grade"] is None for s in lines(tmp_path / "p.samples.jsonl")[1:] if s["fault"])
    asked = len(stand_in.requests)
    again = probe(planned, out=tmp_path / "p.json", endpoint=endpoint)
    assert len(stand_in.requests) == asked + 2
    assert (again.graded, again.missing, again.faults, again.ok) == (8, 0, {}, True)


def test_an_endpoint_that_never_answers_is_an_error_and_no_report(
    recipe: Recipe, stand_in: Any, tmp_path: Path
) -> None:
    planned = plan_probe(recipe, prompts=2, samples=2)
    stand_in.otherwise = stand_in.answer({"choices": []})
    with pytest.raises(EndpointError, match=r"not one sample(?s:.*)no choices"):
        probe(planned, out=tmp_path / "p.json", endpoint=endpoint_for(planned, stand_in))
    assert not (tmp_path / "p.json").exists()


# What a probe's samples say


def sample(prompt: int, number: int, grade: float) -> ProbeSample:
    found = {"name": "answer_found", "value": float(grade > 0), "type": "Metric"}
    return ProbeSample(f"p{prompt}", prompt, number, "x", 10, 20, "stop", grade, [found])


def report_on(*grades_P_K: list[float]) -> ProbeReport:
    samples = [
        sample(p, g, grade)
        for p, grades_K in enumerate(grades_P_K)
        for g, grade in enumerate(grades_K)
    ]
    settings = load_recipe("quickstart").settings
    report = summarise(
        samples,
        recipe="r",
        settings=settings,
        model="m",
        is_local=True,
        prompts_asked=len(grades_P_K),
        samples_per_prompt=len(grades_P_K[0]),
    )
    assert report is not None
    return replace(report, advice=tuple(advise(report, settings)))


def test_prompts_are_counted_by_the_share_solved() -> None:
    report = report_on([0.0] * 4, [1.0, 0, 0, 0], [1.0, 1, 0, 0], [1.0, 1, 1, 0], [1.0] * 4)
    assert list(report.histogram.values()) == [1, 1, 1, 1, 0, 1]
    assert report.success.value == 0.5
    assert (report.always.value, report.never.value) == (0.2, 0.2)
    assert report.pass_at_k[4].value == 0.8
    assert report.parse_failures is not None
    assert report.parse_failures.value == 0.5


def test_a_prompt_with_partial_credit_of_several_grades_is_not_dead() -> None:
    report = report_on([0.2, 0.8], [0.5, 0.5])
    assert [result.kind for result in report.prompts] == ["mixed", "always"]


def words(report: ProbeReport) -> str:
    return " ".join(f"{advice.level}: {advice.words}" for advice in report.advice)


@pytest.mark.parametrize(
    ("grades", "told"),
    [
        ([[1.0] * 8] * 30, "stop: 100 % of the samples were solved"),
        ([[0.0] * 8] * 30, "stop: 0 % of the samples were solved"),
        ([[0.0] * 8] * 29 + [[1.0] * 8], "under 5.0 % training struggles"),
        ([[0.0] * 8] * 27 + [[1.0] * 8] * 3, "if it stays under 0.15"),
        ([[0.0] * 8] * 20 + [[1.0] * 8] * 10, "33 % of the prompts were always and 67 % never"),
        ([[0.0] * 8] * 20 + [[1.0] * 8] * 10, "only 0 % of the groups would be mixed"),
    ],
)
def test_aws_s_thresholds_are_told_with_their_source(grades, told) -> None:
    report = report_on(*grades)
    assert told in words(report)
    assert all(advice.source for advice in report.advice)


def test_a_task_of_middling_difficulty_gets_no_warning() -> None:
    report = report_on(*[[0.0, 1.0, 1.0, 1.0]] * 40)
    assert {advice.level for advice in report.advice} == {"note"}


def test_the_filtered_data_leaves_out_the_dead_and_says_why(recipe: Recipe, tmp_path: Path) -> None:
    rows = plan_probe(recipe, prompts=24, samples=2).data.train
    found = report_on([1.0] * 8, [0.0] * 8, [1.0] * 4 + [0.0] * 4).prompts
    results = [replace(result, id=row.id) for row, result in zip(rows, found, strict=False)]
    path = tmp_path / "filtered.jsonl"
    manifest = write_filtered(path, rows, results, too_long=3)
    kept = lines(path)
    assert [record["id"] for record in kept] == [row.id for row in rows[2:]]
    assert kept[0]["reference_answer"] == rows[2].reference_answer
    assert (manifest["dropped_always_solved"], manifest["dropped_never_solved"]) == (1, 1)
    assert (manifest["kept"], manifest["kept_without_being_probed"]) == (22, 21)
    assert manifest["dropped"][0]["id"] == rows[0].id
    # 8 samples alike: a rate of 1 - 0.05^(1/8) = 31 % of other grades is still plausible
    assert manifest["dropped"][0]["rate_of_other_grades_at_most"] == pytest.approx(0.3123, abs=1e-4)
    assert json.loads(manifest_path(path).read_text()) == manifest
