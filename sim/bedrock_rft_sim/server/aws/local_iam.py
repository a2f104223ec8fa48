"""IAM and STS: moto's, with the changes to IAM kept on disk and made again after a restart.

Roles and policies are only kept: nothing here is refused for want of a permission.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs

from bedrock_rft_sim.files import append_line, dump, named_errors, read_json_lines
from bedrock_rft_sim.server.aws.moto_app import REFUSED, MotoApp, MotoRequest, MotoResponse

_READS = ("Get", "List", "Simulate", "Generate")
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class LocalIam:
    """moto's IAM and STS behind one method."""

    def __init__(self, path: Path, moto: MotoApp) -> None:
        self._path = path
        self._moto = moto
        self._lock = threading.RLock()
        self._is_loaded = False

    def call(self, service: str, request: MotoRequest) -> MotoResponse:
        """Answer one request, and keep on disk what it changed in IAM."""
        with self._lock:
            self._load()
            answer = self._moto.call(service, request)
            if service == "iam" and answer.status < REFUSED:
                self._keep(request.body)
        return answer

    def _keep(self, body: IO[bytes] | bytes) -> None:
        if not isinstance(body, bytes):
            body.seek(0)
            body = body.read()
        text = body.decode("utf-8", "replace")
        action = parse_qs(text).get("Action", [""])[0]
        if action and not action.startswith(_READS) and "AccessKey" not in action:
            with named_errors(self._path, "keep what IAM was sent"):
                append_line(self._path, dump({"form": text}))

    def _load(self) -> None:
        if not self._is_loaded:
            for line in read_json_lines(self._path):
                form = str(line["form"]).encode()
                self._moto.call("iam", MotoRequest("POST", "/", headers=_FORM, body=form))
            self._is_loaded = True
