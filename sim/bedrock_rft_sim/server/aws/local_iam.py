"""IAM and STS: moto's, with what IAM was told kept on disk and told again after a restart.

Roles and policies are only kept, never asked: nothing here is refused for want of a permission.
Sources: none of its own.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs

from bedrock_rft_sim.runs.disk import append_line, dump, named_errors, read_json_lines
from bedrock_rft_sim.server.aws.answers import Answer
from bedrock_rft_sim.server.aws.moto_app import REFUSED, MotoApp

_READS = ("Get", "List", "Simulate", "Generate")
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class LocalIam:
    """moto's IAM and STS behind one method."""

    def __init__(self, path: Path, moto: MotoApp) -> None:
        self._path = path
        self._moto = moto
        self._lock = threading.RLock()
        self._is_loaded = False

    def call(
        self,
        method: str,
        raw_path: str,
        *,
        service: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: BinaryIO | bytes = b"",
    ) -> Answer:
        """Answer one request, and keep on disk what IAM was told."""
        with self._lock:
            self._load()
            answer = self._moto.call(
                service, method, raw_path, query=query, headers=headers, body=body
            )
            if service == "iam" and answer.status < REFUSED:
                self._keep(body if isinstance(body, bytes) else _whole(body))
        return answer

    def _keep(self, body: bytes) -> None:
        text = body.decode("utf-8", "replace")
        action = parse_qs(text).get("Action", [""])[0]
        if action and not action.startswith(_READS) and "AccessKey" not in action:
            with named_errors(self._path, "keep what IAM was told"):
                append_line(self._path, dump({"form": text}))

    def _load(self) -> None:
        if not self._is_loaded:
            for line in read_json_lines(self._path):
                form = str(line["form"]).encode()
                self._moto.call("iam", "POST", "/", headers=_FORM, body=form)
            self._is_loaded = True


def _whole(body: BinaryIO) -> bytes:
    body.seek(0)
    return body.read()
