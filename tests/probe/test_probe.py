"""Whole probes: resumed after a kill, refused when they differ, summarised, advised."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bedrock_rft_sim.errors import DataError, EndpointError, RecipeError
from bedrock_rft_sim.probe import Endpoint, ProbePlan, default_name, plan_probe, probe
from bedrock_rft_sim.probe.advice import advise
from bedrock_rft_sim.probe.report import Probed, ProbeReport, summarise
from bedrock_rft_sim.probe.sample import ProbeSample
from bedrock_rft_sim.recipe import Recipe, load_recipe

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
    return replace(report, grader_seconds=None, sampling=None)


def without_time(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("grader_s", "sampling_s")}


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
    monkeypatch.delattr("bedrock_rft_sim.probe.run.LocalModel")
    assert probe(planned, out=tmp_path / "p.json") == first


def test_the_seconds_of_sampling_are_kept_with_the_samples(recipe: Recipe, tmp_path: Path) -> None:
    planned = plan_probe(recipe, prompts=3, samples=2)
    probe(planned, out=tmp_path / "p.json")
    kept = json.loads((tmp_path / "p.json").read_text())["sampling"]
    assert kept["answers"] == 6
    assert 0 < kept["seconds"] < 60
    probe(planned, out=tmp_path / "p.json")
    assert json.loads((tmp_path / "p.json").read_text())["sampling"] == kept


def test_probes_of_other_models_numbers_and_limits_have_names_of_their_own(
    recipe: Recipe, stand_in: Any
) -> None:
    planned = plan_probe(recipe, prompts=3, samples=2)
    endpoint = endpoint_for(planned, stand_in)
    longer = replace(recipe, settings=replace(recipe.settings, inference_max_tokens=7))
    names = [
        default_name(planned, None),
        default_name(planned, endpoint),
        default_name(planned, replace(endpoint, model="other")),
        default_name(plan_probe(recipe, prompts=4, samples=2), None),
        default_name(plan_probe(longer, prompts=3, samples=2), None),
    ]
    assert len(set(names)) == len(names)
    assert all(name.startswith("quickstart-") and name.endswith(".json") for name in names)
    assert default_name(plan_probe(recipe, prompts=3, samples=2), None) == names[0]


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


def test_prompts_refused_once_do_not_lock_the_probe(
    recipe: Recipe, stand_in: Any, tmp_path: Path
) -> None:
    planned = plan_probe(recipe, prompts=6, samples=2)
    endpoint = endpoint_for(planned, stand_in)
    stand_in.script = [stand_in.answer("refused", status=400)] * 6
    report = probe(planned, out=tmp_path / "p.json", endpoint=endpoint)
    assert (report.graded, report.missing, report.given_up) == (6, 6, None)
    assert report.sampling is None


def test_an_outage_is_told_and_what_was_never_asked_comes_first_the_next_time(
    recipe: Recipe, stand_in: Any, tmp_path: Path
) -> None:
    planned = plan_probe(recipe, prompts=6, samples=2)
    endpoint = endpoint_for(planned, stand_in)
    out = tmp_path / "p.json"
    good, down = stand_in.otherwise, stand_in.answer("down", status=503)
    stand_in.script, stand_in.otherwise = [good] * 2, down
    said: list[str] = []
    report = probe(planned, out=out, endpoint=endpoint, say=said.append)
    assert report.given_up is not None
    assert "3 prompts in a row" in report.given_up
    assert (report.graded, report.missing) == (2, 10)
    assert said[-1] == "2 of 12 samples graded, 6 failed"
    stand_in.requests.clear()
    stand_in.otherwise = good
    whole = probe(planned, out=out, endpoint=endpoint)
    asked = [request["messages"] for request in stand_in.requests]
    rows = [list(row.messages) for row in planned.rows]
    assert asked == [rows[place] for place in (4, 4, 5, 5, 1, 1, 2, 2, 3, 3)]
    assert (whole.missing, whole.given_up) == (0, None)


def test_the_values_of_an_address_s_query_are_stored_nowhere(
    recipe: Recipe, stand_in: Any, tmp_path: Path
) -> None:
    planned = plan_probe(recipe, prompts=2, samples=2)
    endpoint = replace(endpoint_for(planned, stand_in), url=f"{stand_in.url}?code=hidden-secret")
    report = probe(planned, out=tmp_path / "p.json", endpoint=endpoint)
    assert report.model == f"m at {stand_in.url}/chat/completions?code=***"
    assert all("hidden-secret" not in each.read_text() for each in tmp_path.glob("p.*"))


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


def report_on(*grades_P_K: list[float], asked: int | None = None) -> ProbeReport:
    samples = [
        sample(p, g, grade)
        for p, grades_K in enumerate(grades_P_K)
        for g, grade in enumerate(grades_K)
    ]
    settings = load_recipe("quickstart").settings
    probed = Probed(
        recipe="r",
        model="m",
        is_local=True,
        on_bedrock=False,
        prompts=len(grades_P_K),
        samples=len(grades_P_K[0]) if asked is None else asked,
    )
    report = summarise(samples, probed=probed, settings=settings)
    assert report is not None
    return replace(report, advice=tuple(advise(report, settings)))


def values(*shares: Any) -> list[float]:
    return [share.value for share in shares]


def test_prompts_are_counted_by_the_share_solved() -> None:
    report = report_on([0.0] * 4, [1.0, 0, 0, 0], [1.0, 1, 0, 0], [1.0, 1, 1, 0], [1.0] * 4)
    assert list(report.histogram.values()) == [1, 1, 1, 1, 0, 1]
    assert report.success.value == 0.5
    assert values(report.always, report.never, report.dead) == [0.2, 0.2, 0.4]
    assert report.pass_at_k[4].value == 0.8
    assert report.parse_failures is not None
    assert report.parse_failures.value == 0.5


def test_partial_credit_is_positive_and_not_solved() -> None:
    report = report_on([0.2, 0.8], [0.5, 0.5], [1.0, 1.0], [0.0, 0.0], [0.5, 1.0])
    assert [r.kind for r in report.prompts] == ["mixed", "alike", "always", "never", "mixed"]
    assert report.success.value == pytest.approx(3 / 10)
    assert report.positive.value == pytest.approx(8 / 10)
    assert values(report.always, report.never, report.dead) == pytest.approx([0.2, 0.6, 0.6])
    assert report.pass_at_k[2].value == pytest.approx(2 / 5)
    assert list(report.histogram.values()) == [3, 0, 1, 0, 0, 1]


def test_on_a_scale_beyond_1_only_the_highest_grade_is_solved() -> None:
    report = report_on(*[[3.0, 4.0]] * 63, [10.0, 10.0])
    assert report.solved_at == 10
    assert report.success.value == pytest.approx(1 / 64)
    assert "unnecessary" not in words(report)


def test_a_prompt_that_lacks_a_sample_is_not_called_dead() -> None:
    report = report_on([0.0], [0.0] * 3, [0.0] * 4, [0.0, 1.0], asked=4)
    assert [r.kind for r in report.prompts] == ["open", "open", "never", "mixed"]
    assert values(report.never, report.dead) == [1.0, 1.0]
    assert report.never is not None
    assert report.never.low < 0.1  # one whole prompt says little
    assert sum(report.histogram.values()) == 1


def test_without_a_whole_prompt_nobody_knows_the_dead() -> None:
    report = report_on([0.0] * 3, [1.0] * 2, asked=4)
    assert (report.always, report.never, report.dead) == (None, None, None)


def test_one_faulty_sample_leaves_the_table_of_mixed_groups_as_it_is() -> None:
    whole = [[0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]] * 20
    report = report_on(*whole, [1.0], asked=8)
    assert all(share is not None for share in report.mixed_groups.values())


def words(report: ProbeReport) -> str:
    return " ".join(f"{advice.level}: {advice.words}" for advice in report.advice)


@pytest.mark.parametrize(
    ("grades", "told"),
    [
        ([[1.0] * 8] * 64, "stop: 100 % of the samples were solved"),
        ([[0.0] * 8] * 64, "stop: 0 % of the samples were graded above 0"),
        ([[0.0] * 8] * 199 + [[1.0] * 8], "warn: 0.5 % of the samples were graded above 0"),
        ([[0.0] * 8] * 199 + [[1.0] * 8], "under 5.0 % training struggles; take easier"),
        ([[0.0] * 8] * 27 + [[1.0] * 8] * 3, "if it stays under 0.15"),
        (
            [[0.0] * 8] * 20 + [[1.0] * 8] * 10,
            "100 % of the prompts got one grade in all of their 8 samples (33 % were always solved "
            "and 67 % never)",
        ),
        ([[0.0] * 8] * 20 + [[1.0] * 8] * 10, "only 0 % of the groups would be mixed"),
    ],
)
def test_aws_s_thresholds_are_told_with_their_source(grades, told) -> None:
    report = report_on(*grades)
    assert told in words(report)
    assert all(advice.source for advice in report.advice)


@pytest.mark.parametrize(
    "grades",
    [
        [[0.0, 0.0]],
        [[0.0] * 8] * 30,
        [[1.0, 1.0]],
        [[1.0] * 8] * 30,
        [[0.0] * 8] * 63 + [[1.0] * 8],
        [[1.0] * 8] * 63 + [[0.0] * 8],
    ],
)
def test_too_few_prompts_stop_nobody(grades) -> None:
    told = words(report_on(*grades))
    assert "stop" not in told
    assert "too few prompts to tell on which side of AWS's threshold this lies" in told


def test_a_threshold_in_the_interval_is_graver_if_the_middle_lies_beyond_it() -> None:
    assert "note: 6.2 % of the samples were graded above 0" in words(
        report_on(*[[0.0] * 8] * 30, *[[1.0] * 8] * 2)
    )
    assert "warn: 3.1 % of the samples were graded above 0" in words(
        report_on(*[[0.0] * 8] * 31, [1.0] * 8)
    )


def test_partial_credit_everywhere_is_no_reason_to_stop() -> None:
    told = words(report_on(*[[0.2, 0.4, 0.4, 0.8]] * 64))
    assert "stop" not in told
    assert "unnecessary" not in told


def test_full_credit_now_and_then_is_no_reason_to_warn_of_few_positives() -> None:
    assert "above 0" not in words(report_on(*[[0.2, 0.4, 0.4, 0.8]] * 64))


def test_a_larger_group_that_would_not_help_is_not_named() -> None:
    told = words(report_on(*[[0.0] * 8] * 64))
    assert "only 0 % of the groups would be mixed" in told
    assert "with 16" not in told


def test_a_larger_group_that_would_help_is_named_with_its_interval() -> None:
    told = words(report_on(*[[0.0] * 8] * 50, *[[0.0] * 7 + [1.0]] * 14))
    assert "; with 16 it would be" in told


def test_cut_answers_are_told_where_tokens_are_not_counted() -> None:
    report = report_on(*[[0.0, 1.0, 1.0, 1.0]] * 40)
    cut = replace(report, lengths=None, cut=report.success)
    found = words(replace(cut, advice=tuple(advise(cut, load_recipe("quickstart").settings))))
    assert "inferenceMaxTokens 96 cuts 75 % of the answers" in found


def test_a_task_of_middling_difficulty_gets_no_warning() -> None:
    report = report_on(*[[0.0, 1.0, 1.0, 1.0]] * 40)
    assert {advice.level for advice in report.advice} == {"note"}
