"""What a job leaves out of its file is said at once, or refused where it is nearly all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from openai import OpenAI

from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server import left_out
from bedrock_rft_sim.server.mapping import Limits, ModelMapping, StandIn
from tests.server.aws_setup import REWARD, create_function, put, records, rft_request, wait_for_job
from tests.server.conftest import Endpoint
from tests.server.mantle.conftest import create_function as create_west
from tests.server.mantle.conftest import method

HEADER = "x-rft-rehearsal"
SHORT = ModelMapping(default=StandIn(limits=Limits(maxPromptLength=60)))


def mixed(long: int, of: int = 100, words: int = 60) -> bytes:
    """Return records, so many of them with a prompt of eight tokens for each word."""
    rows = [json.loads(line) for line in records(of).splitlines()]
    for row in rows[:long]:
        row["messages"][0]["content"] += " Explain." * words
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def create(endpoint: Endpoint, name: str, content: bytes, **hyper: Any) -> Any:
    """Create a job on this file; return the client and the answer."""
    create_function(endpoint, name)
    put(endpoint, name, train=content, validation=records(3))
    request = rft_request(name, bucket=name, function=name)
    rft = request["customizationConfig"]["rftConfig"]
    rft["hyperParameters"] = {"batchSize": 16, "epochCount": 2, **hyper}
    client = endpoint.client("bedrock")
    return client, client.create_model_customization_job(**request)


def header(answer: dict[str, Any]) -> str:
    return str(answer["ResponseMetadata"]["HTTPHeaders"][HEADER])


def test_dropped_prompts_and_lost_steps_are_said_at_create_and_at_get(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(mapping=SHORT)
    client, created = create(endpoint, "some-long", mixed(50))
    words = "50 of 100 prompts are longer than 60 tokens here and are dropped: 6 steps in place of"
    assert f"warning: {words} 12." in header(created)
    found = client.get_model_customization_job(jobIdentifier=created["jobArn"])
    assert words in header(found)


def test_a_few_dropped_prompts_are_no_warning(serve_root: Callable[..., Endpoint]) -> None:
    _, created = create(serve_root(mapping=SHORT), "few-long", mixed(4))
    assert "4 of 100 prompts are longer" in header(created)
    assert "warning" not in header(created)


def test_a_job_that_would_drop_nearly_all_is_refused_with_the_remedy(
    serve_root: Callable[..., Endpoint],
) -> None:
    with pytest.raises(ClientError, match=r"(?s)95 % of .*--mapping FILE.*maxPromptLength: "):
        create(serve_root(mapping=SHORT), "all-long", mixed(95))


def test_a_limit_of_the_request_s_own_is_to_be_raised_there(
    serve_root: Callable[..., Endpoint],
) -> None:
    with pytest.raises(ClientError, match=r"raise maxPromptLength in the request to \d+"):
        create(serve_root(), "own-limit", mixed(95), maxPromptLength=1)


def test_of_a_long_file_every_nth_prompt_is_counted(
    serve_root: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_out, "LOOK_BYTES", 10_000)
    _, created = create(serve_root(mapping=SHORT), "long-file", mixed(50))
    assert "warning: about 5" in header(created)


def test_prompts_of_two_thousand_tokens_reach_the_trainer_by_either_api(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(region="us-west-2")
    create_west(endpoint, "reward", REWARD)
    with OpenAI(base_url=f"{endpoint.url}/v1", api_key="local", max_retries=0) as client:
        file = client.files.create(file=("train.jsonl", mixed(100, words=220)), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model="openai.gpt-oss-20b", training_file=file.id, extra_body={"method": method(1)}
        )
        said = [event.message for event in client.fine_tuning.jobs.list_events(job.id)]
        metadata = client.fine_tuning.jobs.retrieve(job.id).metadata
    assert not any("dropped" in each for each in said)
    assert "rehearsal: 10 of 100 records are held out for validation" in said
    assert "70 steps at the latest" in (metadata or {})["rehearsal"]


def test_what_a_run_warns_of_stands_in_get_s_header(serve_root: Callable[..., Endpoint]) -> None:
    endpoint = serve_root()
    client, created = create(endpoint, "warned", records())
    wait_for_job(client, created["jobArn"])
    [job] = endpoint.state.jobs.list("bedrock")
    with RunFolder.open(job.folder, write=True) as folder:
        folder.append_event(message_event("all rewards are equal", level="warn"))
    found = client.get_model_customization_job(jobIdentifier=created["jobArn"])
    assert header(found).endswith("all rewards are equal.")
