"""A function's code in a folder, as the runner gets it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.server.lambda_.references import FunctionId
from bedrock_rft_sim.server.lambda_.runner import Deployed

# Says which process it is, and, told a path, that it runs; then it hangs, if told so.
CODE = """
import os
from pathlib import Path

def lambda_handler(event, context):
    if "running" in event:
        Path(event["running"]).touch()
    while "hang" in event:
        pass
    return os.getpid()
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
