"""Fine-tuning jobs through the OpenAI SDK, on a stub training."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError, ConflictError, NotFoundError, OpenAI

from bedrock_rft_sim.contract.metrics import MANTLE_EVENT_KEYS
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.state import ServerState


def test_a_job_is_created_polled_and_listed(client: OpenAI, finished: Any) -> None:
    assert finished.id.startswith("ftjob-")
    assert finished.object == "fine_tuning.job"
    assert finished.model == "openai.gpt-oss-20b"
    assert finished.fine_tuned_model.startswith("ft:openai.gpt-oss-20b:")
    assert finished.finished_at >= finished.created_at
    assert finished.method.reinforcement.hyperparameters.n_epochs == 1
    assert finished.hyperparameters.learning_rate_multiplier == "auto"
    assert finished.error is None
    assert finished.id in [job.id for job in client.fine_tuning.jobs.list()]


def test_events_are_those_of_the_run_folder_newest_first(
    client: OpenAI, mantle_state: ServerState, finished: Any
) -> None:
    told = [event.model_dump() for event in client.fine_tuning.jobs.list_events(finished.id)]
    job = mantle_state.jobs.get(finished.id.removeprefix("ftjob-"))
    expected = list(reversed(RunFolder.open(job.folder).read_events()))
    assert told[: len(expected)] == expected
    metrics = [event for event in told if event["type"] == "metrics"]
    assert [event["data"]["step"] for event in metrics] == [3, 2, 1]
    assert set(metrics[0]["data"]) == set(MANTLE_EVENT_KEYS)


def test_what_the_rehearsal_does_differently_is_said_in_the_first_events(
    client: OpenAI, finished: Any
) -> None:
    told = list(reversed(list(client.fine_tuning.jobs.list_events(finished.id))))
    remarks = [event.message for event in told if event.level == "warn"]
    assert remarks == [event.message for event in told[: len(remarks)]]
    assert "rehearsal: the local model 'tiny' stands in for openai.gpt-oss-20b" in remarks
    assert "rehearsal: training ends after 70 steps at the latest" in remarks


def test_the_tokens_trained_on_are_counted(finished: Any) -> None:
    assert finished.trained_tokens == 3 * 320


def test_events_come_in_pages(client: OpenAI, finished: Any) -> None:
    first = client.fine_tuning.jobs.list_events(finished.id, limit=3)
    rest = client.fine_tuning.jobs.list_events(finished.id, after=first.data[-1].id)
    assert (len(first.data), first.has_more, rest.has_more) == (3, True, False)
    every = list(client.fine_tuning.jobs.list_events(finished.id, limit=1))
    assert every == [*first.data, *rest.data]


def test_checkpoints_have_names_steps_and_metrics(client: OpenAI, finished: Any) -> None:
    found = list(client.fine_tuning.jobs.checkpoints.list(finished.id, limit=1))
    assert [each.step_number for each in found] == [3, 2]
    assert found[0].fine_tuned_model_checkpoint == f"{finished.fine_tuned_model}:ckpt-step-3"
    assert found[0].fine_tuning_job_id == finished.id
    values = found[0].metrics.model_dump()
    assert values["step"] == 3
    assert values["validation_rewards_mean"] == 0.75
    assert values["valid_loss"] is None
    assert len({each.id for each in found}) == 2


def test_a_running_job_is_cancelled_and_stays_so(
    client: OpenAI, create: Any, wait_for: Any, training_file: str
) -> None:
    job = create(2)
    wait_for(job.id, "running")
    with pytest.raises(ConflictError, match="in use by the fine-tuning job"):
        client.files.delete(training_file)
    waiting = create(1)
    assert waiting.status == "validating_files"
    assert client.fine_tuning.jobs.retrieve(waiting.id).status == "queued"
    told = client.fine_tuning.jobs.list_events(waiting.id)
    assert {event.level for event in told} == {"warn"}
    assert client.fine_tuning.jobs.cancel(waiting.id).status == "cancelled"
    cancelled = client.fine_tuning.jobs.cancel(job.id)
    assert cancelled.status == "cancelled"
    assert cancelled.fine_tuned_model is None
    with pytest.raises(BadRequestError, match="has already ended: cancelled"):
        client.fine_tuning.jobs.cancel(job.id)


def test_a_failed_job_says_why(create: Any, wait_for: Any) -> None:
    job = wait_for(create(3).id, "failed")
    assert job.error.message == "the reward handler failed"
    assert job.error.code
    assert job.fine_tuned_model is None


def test_the_recipe_behind_a_job_is_the_request_and_what_stays_at_home(
    mantle_state: ServerState, finished: Any, training_file: str
) -> None:
    from bedrock_rft_sim.recipe import load_recipe

    job_id = finished.id.removeprefix("ftjob-")
    recipe = load_recipe(mantle_state.root / "recipes" / f"{job_id}.yaml")
    assert recipe.dialect == "openai"
    assert recipe.request["training_file"] == training_file
    assert recipe.local.model == "tiny"
    assert recipe.local.maxSteps == 70
    assert recipe.local.lambda_.memorySize == 256
    assert recipe.reward_path.is_dir()


@pytest.mark.parametrize(
    ("extra", "param", "message"),
    [
        ({"suffix": "mine"}, "suffix", "unsupported"),
        ({"seed": 1}, "seed", "in no Bedrock document"),
        ({"sead": 1}, "sead", "Did you mean seed"),
        ({"method": {"type": "supervised"}}, "method.type", "one of reinforcement"),
        ({"method": None}, "method", "Missing key"),
    ],
)
def test_what_bedrock_refuses_is_refused_by_name(
    create: Any, extra: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(BadRequestError, match=message) as caught:
        create(extra_body=extra)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


def test_an_unknown_model_file_or_grader_is_named(create: Any) -> None:
    with pytest.raises(BadRequestError, match="Not offered") as caught:
        create(model="openai.gpt-oss-120b")
    assert caught.value.param == "model"
    with pytest.raises(BadRequestError, match="No such File object") as caught:
        create(training_file="file-abc123")
    assert caught.value.param == "training_file"
    arn = "arn:aws:lambda:us-west-2:123456789012:function:nobody"
    grader = {"type": "lambda", "lambda": {"function": arn}}
    method = {"type": "reinforcement", "reinforcement": {"grader": grader}}
    with pytest.raises(BadRequestError, match="Function not found") as caught:
        create(extra_body={"method": method})
    assert caught.value.code == "grader_not_found"


def test_too_few_records_are_refused(client: OpenAI, create: Any) -> None:
    file = client.files.create(file=("train.jsonl", b'{"a": 1}\n' * 99), purpose="fine-tune")
    with pytest.raises(BadRequestError, match="99 records, expected 100 to 20,000"):
        create(training_file=file.id)
    client.files.delete(file.id)


def test_a_job_that_is_not_there_is_named(client: OpenAI) -> None:
    for job_id in ("ftjob-abc123", "ftjob-00000000-0000-4000-8000-000000000000", "..%2fx"):
        with pytest.raises(NotFoundError):
            client.fine_tuning.jobs.retrieve(job_id)
        with pytest.raises(NotFoundError):
            client.fine_tuning.jobs.list_events(job_id)


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": "many"}, {"after": "nobody"}])
def test_a_bad_page_is_refused(client: OpenAI, finished: Any, query: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.fine_tuning.jobs.list_events(finished.id, extra_query=query)
    assert caught.value.param in query


def test_a_filter_that_would_not_filter_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.fine_tuning.jobs.list(metadata={"a": "b"})
    assert caught.value.code == "unsupported_parameter"


def test_pausing_and_paths_that_are_not_simulated_say_so_in_openai_form(
    client: OpenAI, finished: Any
) -> None:
    with pytest.raises(NotFoundError, match="is not simulated by the local endpoint"):
        client.fine_tuning.jobs.pause(finished.id)
    with pytest.raises(NotFoundError, match="is not simulated"):
        client.embeddings.create(model="x", input="y")
    with pytest.raises(NotFoundError, match="is not simulated"):
        client.models.delete(finished.fine_tuned_model)
