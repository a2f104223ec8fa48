"""A function's code in a folder, as the runner gets it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.server.lambda_.references import FunctionId
from bedrock_rft_sim.server.lambda_.runner import Deployed

# Says which container it is, and, told a port, that it runs; then it hangs, if told so.
CODE = """
import socket, time, uuid

OWN = uuid.uuid4().hex

def lambda_handler(event, context):
    if "port" in event:
        socket.create_connection(("127.0.0.1", event["port"])).close()
    if "hang" in event:
        time.sleep(60)
    return OWN
"""


@pytest.fixture
def deployed(tmp_path: Path) -> Callable[[str], Deployed]:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "lambda_function.py").write_text(CODE)

    def make(name: str) -> Deployed:
        return Deployed(
            arn=FunctionId("us-east-1", name).arn,
            code=tmp_path / "code",
            handler="lambda_function.lambda_handler",
            timeout_s=60,
            memory_mb=128,
            environment={},
            revision="1",
        )

    return make
