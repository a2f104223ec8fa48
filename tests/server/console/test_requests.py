"""What the console's paths answer, and to whom."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from bedrock_rft_sim.jobs import BedrockDetails, Job, OpenAIDetails
from bedrock_rft_sim.report import html
from bedrock_rft_sim.server.bedrock.names import has_model
from bedrock_rft_sim.server.console import replies
from tests.jobs.conftest import wait_until
from tests.report.conftest import STEPS, make_run
from tests.server.aws_setup import rft_request
from tests.server.conftest import Endpoint
from tests.server.console.conftest import HOSTILE_NAME, REMARKS, StubModels, start

Reply = tuple[int, dict[str, str], bytes]


def send(
    endpoint: Endpoint, path: str, *, method: str = "GET", body: bytes = b"", **headers: str
) -> Reply:
    address = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body or None, headers=named)
    with connection.getresponse() as response:
        told = {name.lower(): value for name, value in response.getheaders()}
        content = response.read()
    connection.close()
    return response.status, told, content


def read(endpoint: Endpoint, path: str) -> Any:
    status, _, content = send(endpoint, path)
    assert status == 200
    return json.loads(content)


def post(endpoint: Endpoint, path: str, body: Any = None, **headers: str) -> tuple[int, list[Any]]:
    """Send what the page sends; return the status and the lines of the answer."""
    own = {"origin": endpoint.url, replies.ASKED_BY_PAGE.replace("-", "_"): "1"}
    text = json.dumps(body if body is not None else {}).encode()
    status, _, content = send(endpoint, path, method="POST", body=text, **{**own, **headers})
    return status, [json.loads(line) for line in content.splitlines()]


def test_the_page_runs_its_own_scripts_only_and_asks_its_own_server_only(
    console: Endpoint,
) -> None:
    status, headers, content = send(console, "/console")
    policy = headers["content-security-policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert status == 200
    assert content.count(b"<script") == content.count(f'<script nonce="{nonce}" src="/'.encode())
    assert "default-src 'none'; " in policy
    assert "connect-src 'self'; " in policy
    assert "frame-ancestors 'none'" in policy
    assert f"script-src 'nonce-{nonce}';" in policy
    assert nonce not in send(console, "/console")[1]["content-security-policy"]


def test_plotly_comes_from_the_installed_package(console: Endpoint) -> None:
    packed = html.plotly()
    assert packed is not None
    _, headers, content = send(console, "/console/plotly.js")
    assert content == base64.b64decode(packed[0])
    assert headers["content-encoding"] == "gzip"
    again = send(console, "/console/plotly.js", if_none_match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")


def test_both_kinds_of_jobs_are_listed_newest_first(
    console: Endpoint, running_job: Callable[[], Job]
) -> None:
    running = running_job()
    first, *others = read(console, "/console/jobs")["jobs"]
    assert (first["id"], first["kind"], first["status"]) == (running.id, "openai", "running")
    assert {each["kind"] for each in others} >= {"bedrock"}
    assert HOSTILE_NAME in {each["name"] for each in others}
    assert others == sorted(others, key=lambda each: -each["created"])


def test_a_job_is_told_with_what_differs_from_the_request(console: Endpoint, finished: Job) -> None:
    told = read(console, f"/console/jobs/{finished.id}")
    assert told["remarks"] == [remark.removeprefix("rehearsal: ") for remark in REMARKS]
    assert [phase["status"] for phase in told["phases"]] == ["Completed"] * 3
    assert [graph["title"] for graph in told["graphs"]] == [
        "Training rewards",
        "Validation rewards",
        "Training episode lengths",
        "Validation episode lengths",
        "Policy entropy",
        "Gradient norm",
    ]
    assert told["graphs"][0]["series"][0]["values"] == [0.25, 0.375, 0.5, 0.625]
    assert [each["step"] for each in told["checkpoints"]] == [4, 2]
    assert [each["id"] for each in told["models"]] == ["tuned", "step-4", "step-2"]
    assert told["model"].startswith("arn:aws:bedrock:us-east-1:123456789012:custom-model/")


def test_a_job_that_has_not_changed_is_not_told_again(console: Endpoint, finished: Job) -> None:
    path = f"/console/jobs/{finished.id}"
    tag = send(console, path)[1]["etag"]
    assert send(console, path, if_none_match=tag)[::2] == (304, b"")
    console.state.jobs.update_details(finished.id, job_tags=[{"key": "seen", "value": ""}])
    assert send(console, path, if_none_match=tag)[0] == 200


def test_a_job_that_never_began_is_told_with_its_failure(console: Endpoint) -> None:
    crashed = console.state.jobs.with_name("bedrock", HOSTILE_NAME)
    assert crashed is not None
    told = read(console, f"/console/jobs/{crashed.id}")
    assert told["failure"] == "<b>no</b> data"
    assert (told["events"], told["checkpoints"], told["models"]) == ([], [], [])
    assert read(console, f"/console/jobs/{crashed.id}/examples") == {"examples": []}
    assert send(console, f"/console/jobs/{crashed.id}/report")[0] == 404


def test_examples_are_prompts_of_the_run_validation_first(console: Endpoint, finished: Job) -> None:
    first, *_ = read(console, f"/console/jobs/{finished.id}/examples")["examples"]
    asked = "What is 6 times 7?"
    assert first == {"set": "validation", "system": "", "prompt": asked, "reference": "42"}


def test_what_the_checks_found_is_told_beside_the_status(console: Endpoint, finished: Job) -> None:
    told = read(console, f"/console/jobs/{finished.id}")
    cut = [each for each in told["verdicts"] if each["rule"] == "truncation"]
    assert [each["severity"] for each in cut] == ["warning"]
    assert all(each["severity"] in ("problem", "warning", "note") for each in told["verdicts"])
    assert told["doubt"] is None


def test_a_completed_run_without_a_signal_is_listed_with_that_doubt(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root()
    with make_run(endpoint.state.jobs.runs, "flat") as run:
        words = "No learning signal: every one of the 32 rollouts was graded 0, so nothing moved."
        run.write_record(learning_signal={"ok": False, "words": words})
    [listed] = read(endpoint, "/console/jobs")["jobs"]
    assert (listed["status"], listed["doubt"]) == ("Completed", "No learning signal")


def test_the_base_model_is_the_one_the_job_was_created_with(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(start=start)
    recipe = {"local": {"model": "acme/then"}}
    request = rft_request("x", bucket="b", function="f")
    details = BedrockDetails("us-east-1")
    job = endpoint.state.jobs.create(details, recipe, name=HOSTILE_NAME, request=request)
    wait_until(lambda: endpoint.state.jobs.get(job.id).has_ended)
    assert endpoint.state.mapping.default.model == "tiny"
    assert read(endpoint, f"/console/jobs/{job.id}")["stand_in"] == "acme/then"


def test_a_run_of_the_command_line_is_listed_and_can_be_talked_to(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root()
    models = endpoint.state.models = StubModels()
    with make_run(endpoint.state.jobs.runs, "by-hand") as run:
        run.model.mkdir()
        run.checkpoint(2).mkdir(parents=True)
        run.write_record(model="/beside/the/recipe")
    [listed] = read(endpoint, "/console/jobs")["jobs"]
    assert (listed["id"], listed["kind"], listed["status"]) == ("by-hand", "run", "Completed")
    assert listed["has_ended"]
    path = "/console/jobs/by-hand"
    told = read(endpoint, path)
    assert (told["shown_id"], told["base"]) == (str(run.path), "amazon.nova-2-lite-v1:0:256k")
    assert (told["step"], told["phases"], told["trouble"]) == (STEPS, [], None)
    assert [each["id"] for each in told["models"]] == ["tuned", "step-2"]
    choices = ("base", "/beside/the/recipe"), ("tuned", run.model), ("step-2", run.checkpoint(2))
    for model, behind in choices:
        assert post(endpoint, f"{path}/ask", {"prompt": "6 times 7?", "model": model})[0] == 200
        assert models.asks[-1].model == str(behind)
    status, (said,) = post(endpoint, f"{path}/stop")
    assert (status, "rft run started this" in said["error"]) == (409, True)
    tag = send(endpoint, path)[1]["etag"]
    assert send(endpoint, path, if_none_match=tag)[0] == 304


def test_a_run_of_the_command_line_that_was_killed_is_told_as_cut_off(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root()
    with make_run(endpoint.state.jobs.runs, "killed") as run:
        run.write_record(status="InProgress")
        [going] = read(endpoint, "/console/jobs")["jobs"]
        assert (going["status"], going["has_ended"]) == ("InProgress", False)
    [listed] = read(endpoint, "/console/jobs")["jobs"]
    assert (listed["status"], listed["state"], listed["has_ended"]) == ("cut off", "stopped", True)
    assert any("--resume" in each for each in read(endpoint, "/console/jobs/killed")["remarks"])


def test_the_report_has_no_share_in_the_server_s_origin(console: Endpoint, finished: Job) -> None:
    _, headers, content = send(console, f"/console/jobs/{finished.id}/report")
    assert content == (finished.folder / "report.html").read_bytes()
    assert headers["content-security-policy"].startswith("sandbox allow-scripts;")


@pytest.mark.parametrize(
    "path", ["/console/jobs/nothing", "/console/jobs/..%2f..%2fetc/report", "/console/other"]
)
def test_what_is_not_there_is_refused_in_json(console: Endpoint, path: str) -> None:
    status, headers, content = send(console, path)
    assert (status, headers["content-type"]) == (404, "application/json")
    assert json.loads(content)["error"]
    assert send(console, path, method="PUT")[1]["content-type"] == "application/json"


def test_only_the_page_itself_may_stop_or_ask(
    console: Endpoint, running_job: Callable[[], Job]
) -> None:
    job = running_job()
    for headers, why in (
        ({"origin": "http://localhost:3000"}, "another origin"),
        ({"origin": "http://127.0.0.1:1"}, "another origin"),
        ({"sec_fetch_site": "same-site"}, "another site"),
        ({"x_rft_console": "0"}, "own page"),
    ):
        for path in ("stop", "ask"):
            status, (said,) = post(console, f"/console/jobs/{job.id}/{path}", **headers)
            assert (status, why in said["error"]) == (403, True)
    path = f"/console/jobs/{job.id}/stop"
    status, _, content = send(console, path, method="POST", x_rft_console="1")
    assert (status, b"own page" in content) == (403, True)
    assert console.state.jobs.get(job.id).status == "running"


def test_a_job_that_has_ended_is_not_stopped(console: Endpoint, finished: Job) -> None:
    status, (said,) = post(console, f"/console/jobs/{finished.id}/stop")
    assert (status, said["error"]) == (409, "this job has ended already")


def test_an_answer_comes_in_pieces_from_the_chosen_model(console: Endpoint, finished: Job) -> None:
    question = {"prompt": "6 times 7?", "system": "Be brief.", "max_tokens": 9}
    for model, folder in (
        ("base", "tiny"),
        ("tuned", finished.folder / "model"),
        ("step-2", finished.folder / "checkpoints" / "step-000002"),
    ):
        path = f"/console/jobs/{finished.id}/ask"
        status, lines = post(console, path, {**question, "model": model, "sampled": True})
        ask = console.state.models.asks[-1]
        assert (status, ask.model, ask.max_tokens) == (200, str(folder), 9)
        assert [turn["role"] for turn in ask.messages] == ["system", "user"]
        assert ask.temperature == 1.0
        pieces = "".join(line["piece"] for line in lines[:-1])
        assert lines[-1]["answered"]["text"] == pieces
    assert post(console, path, {**question, "model": "tuned"})[0] == 200
    assert console.state.models.asks[-1].temperature == 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "../../etc"}, 404),
        ({"model": "step-3"}, 404),
        ({"prompt": " "}, 400),
        ({"prompt": ["x"]}, 400),
        ({"max_tokens": 0}, 400),
        ({"max_tokens": True}, 400),
        ({"max_tokens": 10**9}, 400),
        ({"prompt": "x" * replies.BODY_MAX}, 413),
    ],
)
def test_a_wrong_question_is_refused(
    console: Endpoint, finished: Job, change: dict[str, Any], status: int
) -> None:
    question = {"prompt": "x", "model": "base", **change}
    found, (said,) = post(console, f"/console/jobs/{finished.id}/ask", question)
    assert (found, bool(said["error"])) == (status, True)


def test_a_model_that_dies_is_said_in_the_last_line(console: Endpoint, finished: Job) -> None:
    _, lines = post(console, f"/console/jobs/{finished.id}/ask", {"prompt": "die"})
    assert lines == [{"error": "the process of the model died"}]


def test_a_mistake_of_ours_is_answered_in_each_door_s_form(
    console: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(_kind: str) -> list[Job]:
        raise ZeroDivisionError

    monkeypatch.setattr(console.state.jobs, "list", mistake)
    status, _, content = send(console, "/v1/fine_tuning/jobs")
    error = json.loads(content)["error"]
    assert (status, error["type"]) == (500, "server_error")
    assert "ZeroDivisionError" in error["message"]
    status, _, content = send(console, "/console/jobs")
    assert (status, "ZeroDivisionError" in json.loads(content)["error"]) == (500, True)


def test_a_completed_job_has_a_model_whichever_api_it_was_created_through(finished: Job) -> None:
    assert has_model(finished)
    assert has_model(replace(finished, details=OpenAIDetails(seed=0)))
    assert not has_model(replace(finished, details=BedrockDetails("x", model_deleted=True)))
