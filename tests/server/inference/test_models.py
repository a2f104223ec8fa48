"""The model process behind the server: asked, left alone, killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import pytest

from bedrock_rft_sim.server.inference import (
    Loading,
    ModelAnswer,
    ModelError,
    ModelRequest,
    Models,
    Refused,
    TextPiece,
)
from bedrock_rft_sim.server.inference import models as inference_models
from bedrock_rft_sim.server.inference.models import COMMAND
from tests.server.shared_models import shared_models

T = TypeVar("T")
ASK = ModelRequest(
    "tiny",
    [{"role": "user", "content": "Tom has 3 apples and buys 4 more. How many apples has he?"}],
    max_tokens=48,
    temperature=0,
)
# A process that says one piece and waits; after that it answers what it was told is unwanted.
PATIENT = """
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    if "unwanted" in m:
        said = {"ask": first, "piece": "too late"}
    elif m["model"] == "die":
        sys.exit(1)
    elif m["model"] == "wait":
        first = m["ask"]
        said = {"ask": first, "piece": "one"}
    else:
        text = repr(sorted(globals().keys() & {"first"}))
        said = {"ask": m["ask"], "answered": {"text": text, "stop_reason": "stop",
                "stop_sequence": None, "prompt_tokens": 1, "completion_tokens": 1}}
    print(json.dumps(said), flush=True)
"""

# A process that loads for as long as nobody asks again, and answers from then on, slowly.
LOADER = """
import json, sys, time
asked = 0
for line in sys.stdin:
    m = json.loads(line)
    asked += "ask" in m
    if "ask" not in m:
        continue
    elif asked == 1:
        said = {"loading": True}
    else:
        print(json.dumps({"loading": False}), flush=True)
        time.sleep(0.5)
        said = {"ask": m["ask"], "answered": {"text": "loaded", "stop_reason": "stop",
                "stop_sequence": None, "prompt_tokens": 1, "completion_tokens": 1}}
    print(json.dumps(said), flush=True)
"""


def within(models: Models, work: Callable[[Models], Awaitable[T]]) -> T:
    async def run() -> T:
        return await work(models)

    try:
        return asyncio.run(run())
    finally:
        models.close()


def patient() -> Models:
    return Models(command=(sys.executable, "-c", PATIENT))


def test_the_model_process_answers_in_pieces_and_goes_on_after_a_refusal(tmp_path: Path) -> None:
    async def run(models: Models) -> tuple[list[TextPiece | ModelAnswer], ModelAnswer]:
        long = [{"role": "user", "content": "apples " * 3000}]
        with pytest.raises(Refused, match="whole context"):
            await models.answer(ModelRequest("tiny", long))
        with pytest.raises(ModelError, match="there is no such model folder"):
            await models.answer(ModelRequest(str(tmp_path / "nothing"), ASK.messages))
        async with aclosing(models.stream(ASK)) as told:
            return [each async for each in told], await models.answer(ASK)

    told, answer = asyncio.run(run(shared_models()))
    assert told[-1] == answer
    assert answer.stop_reason == "stop"
    assert "".join(piece.text for piece in told[:-1] if isinstance(piece, TextPiece)) == answer.text
    assert len(told) > 3


def test_an_ask_with_half_a_character_is_refused_alone() -> None:
    upsetting = ModelRequest("tiny", [{"role": "user", "content": "\ud800"}], max_tokens=4)

    async def run(models: Models) -> list[ModelAnswer | BaseException]:
        asks = (upsetting, ASK, upsetting, ASK)
        return await asyncio.gather(*map(models.answer, asks), return_exceptions=True)

    bad, good, again, other = asyncio.run(run(shared_models()))
    assert isinstance(bad, Refused)
    assert "half a character" in str(bad)
    assert str(again) == str(bad)
    assert isinstance(good, ModelAnswer)
    assert good == other


def test_two_asks_at_once_both_get_their_own_answer() -> None:
    async def work(models: Models) -> tuple[ModelAnswer, ModelAnswer]:
        one, two = await asyncio.gather(
            models.answer(ModelRequest("a", ASK.messages)),
            models.answer(ModelRequest("b", ASK.messages)),
        )
        return one, two

    assert len(within(patient(), work)) == 2


def test_an_ask_that_nobody_listens_to_is_called_off() -> None:
    async def work(models: Models) -> str:
        async with aclosing(models.stream(ModelRequest("wait", ASK.messages))) as told:
            assert await anext(told) == TextPiece("one")
        return (await models.answer(ModelRequest("a", ASK.messages))).text

    assert within(patient(), work) == "['first']"


def test_an_ask_called_off_while_it_is_being_sent_leaves_nothing_behind() -> None:
    async def work(models: Models) -> str:
        models._lock.acquire()  # the process is being started, say
        asking = asyncio.create_task(models.answer(ModelRequest("wait", ASK.messages)))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        models._lock.release()
        async with asyncio.timeout(20):
            # The ask that was called off may be sent after an answer or two, and is then forgotten.
            while (text := (await models.answer(ModelRequest("a", ASK.messages))).text) == "[]":
                pass
            while models._waiting:
                await asyncio.sleep(0.01)
        return text

    assert within(patient(), work) == "['first']"


def test_a_model_that_loads_for_long_is_said_to_and_an_answer_that_takes_long_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(models: Models) -> str:
        with pytest.raises(Loading, match="still being loaded; ask again"):
            await models.answer(ASK)
        return (await models.answer(ASK)).text

    monkeypatch.setattr(inference_models, "LOAD_WAIT_S", 0.2)
    assert within(Models(command=(sys.executable, "-c", LOADER)), work) == "loaded"


def test_a_dead_process_is_an_error_once_and_then_there_is_a_new_one() -> None:
    async def work(models: Models) -> ModelAnswer:
        for _ in range(2):
            with pytest.raises(ModelError, match="the process of the model died"):
                await models.answer(ModelRequest("die", ASK.messages))
        return await models.answer(ModelRequest("a", ASK.messages))

    assert within(patient(), work).stop_reason == "stop"


def test_whoever_waits_when_the_process_is_closed_is_told() -> None:
    async def work(models: Models) -> None:
        waiting = asyncio.create_task(models.answer(ModelRequest("wait", ASK.messages)))
        async with aclosing(models.stream(ModelRequest("wait", ASK.messages))) as told:
            await anext(told)  # both have been read by now
            await asyncio.to_thread(models.close)
        with pytest.raises(ModelError, match="died"):
            await waiting

    within(patient(), work)


def test_what_the_process_prints_is_kept(tmp_path: Path) -> None:
    async def work(models: Models) -> None:
        with pytest.raises(ModelError, match="died"):
            await models.answer(ASK)

    script = "import sys; print('out of memory', file=sys.stderr); sys.exit(1)"
    within(Models(log=tmp_path / "log", command=(sys.executable, "-c", script)), work)
    assert "out of memory" in (tmp_path / "log").read_text()


def test_the_process_ends_with_the_server_that_started_it() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_closing_twice_or_without_a_process_does_nothing() -> None:
    models = patient()
    models.close()
    models.close()
