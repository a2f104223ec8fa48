"""The model process, from inside."""

from __future__ import annotations

import io
from dataclasses import asdict

import pytest

from bedrock_rft_sim.engine.chat import ModelRequest
from bedrock_rft_sim.server.inference.worker import _LoadedModels


class NobodyLeft:
    """Requests whose senders all wait."""

    def is_unwanted(self, _number: int) -> bool:
        return False

    def forget(self, _number: int) -> None: ...


def test_the_log_says_once_which_engine_answers(capsys: pytest.CaptureFixture[str]) -> None:
    models = _LoadedModels(io.BytesIO(), NobodyLeft())
    asked = ModelRequest("tiny", [{"role": "user", "content": "2 + 2?"}], max_tokens=4)
    for number in (1, 2):
        models.answer({"ask": number, **asdict(asked)})
    logged = "tiny: answers come from the engine native: it fits the model\n"
    assert capsys.readouterr().err.count(logged) == 1
