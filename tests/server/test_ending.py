"""SIGTERM to `rft serve`: the children of jobs end cleanly, whatever answers wait for."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.jobs.conftest import wait_until
from tests.server.aws_setup import create_role, records, rft_request, zipped
from tests.server.called import Called
from tests.server.test_killed import Server, cleaned_up

PATIENCE_S = 9.0
"""Less than the ten seconds of `docker stop`."""
SLOW = """
import socket, time
def lambda_handler(event, context):
    socket.create_connection(("127.0.0.1", event["port"]))
    time.sleep(50)
"""


@pytest.mark.slow
def test_sigterm_ends_trainers_cleanly_and_handlers_at_once(tmp_path: Path, called: Called) -> None:
    root = tmp_path / "root"
    server = Server(root, steps=1000)
    told: list[str] = []
    with cleaned_up(root, [server]):
        client = server.ready()
        client("lambda").create_function(
            FunctionName="slow",
            Runtime="python3.12",
            Role=create_role(client),
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": zipped(lambda_function=SLOW)},
            Timeout=60,
        )
        client("s3").create_bucket(Bucket="data")
        for key, body in (("train", records()), ("validation", records(10))):
            client("s3").put_object(Bucket="data", Key=f"{key}.jsonl", Body=body)
        request = rft_request("a", bucket="data", function="slow")
        arn = client("bedrock").create_model_customization_job(**request)["jobArn"]
        folder = root / "runs" / arn.rpartition("/")[2]
        wait_until((folder / "metrics.jsonl").exists)

        def invoke() -> None:
            payload = json.dumps({"port": called.port}).encode()
            try:
                client("lambda").invoke(FunctionName="slow", Payload=payload)
            except ClientError as error:
                told.append(error.response["Error"]["Message"])

        waiting = [threading.Thread(target=invoke) for _ in range(3)]
        for thread in waiting:
            thread.start()
        wait_until(called.once)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        assert time.monotonic() - began < PATIENCE_S
        for thread in waiting:
            thread.join()
    assert len(told) == 3
    assert all("is ending" in words for words in told)
    assert json.loads((folder / "run.json").read_text())["status"] == "Stopped"
