"""Whole probes: resumed after a kill, refused when they differ, summarised."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.errors import DataError, EndpointError, RecipeError
from bedrock_rft_sim.probe.endpoint import Endpoint
from bedrock_rft_sim.probe.report import ProbeReport
from bedrock_rft_sim.probe.run import ProbePlan, default_name, plan_probe, probe, save_record
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
    assert resumed.graded == 15


def test_a_finished_probe_is_read_again_without_a_model(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan_probe(recipe, prompts=3, samples=2)
    first = probe(planned, out=tmp_path / "p.json")
    monkeypatch.delattr("bedrock_rft_sim.probe.run.LocalModel")
    assert probe(planned, out=tmp_path / "p.json") == first


def test_the_seconds_of_sampling_are_kept_with_the_samples(recipe: Recipe, tmp_path: Path) -> None:
    planned = plan_probe(recipe, prompts=3, samples=2)
    kept = probe(planned, out=tmp_path / "p.json").sampling
    assert kept is not None
    assert kept.answers == 6
    assert 0 < kept.seconds < 60
    assert probe(planned, out=tmp_path / "p.json").sampling == kept


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


def test_a_probe_at_another_temperature_samples_there_and_is_another_probe(
    recipe: Recipe, tmp_path: Path
) -> None:
    own = plan_probe(recipe, prompts=3, samples=2)
    cooler = plan_probe(recipe, prompts=3, samples=2, temperature=0.6)
    assert default_name(own, None) != default_name(cooler, None)
    assert probe(cooler, out=tmp_path / "p.json").temperature == 0.6


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


def test_a_sample_that_failed_has_no_grade_and_is_sampled_again(
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


def test_an_outage_is_reported_and_what_was_never_sampled_comes_first_the_next_time(
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
    save_record(tmp_path / "p.json", report.as_json())
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
