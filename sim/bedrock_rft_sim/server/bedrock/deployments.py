"""The custom-model deployments, one small file each.

Deliberately loads no model: the model process does, at the first question.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bedrock_rft_sim.files import dump, make_folder, named_errors, read_json, write_file
from bedrock_rft_sim.server.bedrock.names import DEPLOYMENT, id_in


class Deployments:
    """Deployments by id, as plain data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        make_folder(folder)
        # Replaced as a whole and never changed, so that readers need no lock.
        self._known = {path.stem: read_json(path) for path in folder.glob("*.json")}

    def all(self) -> list[dict[str, Any]]:
        """Return the deployments, newest first."""
        return sorted(self._known.values(), key=lambda one: float(one["createdAt"]), reverse=True)

    def find(self, identifier: str) -> dict[str, Any] | None:
        """Return the deployment of this name, id or ARN."""
        wanted = id_in(identifier, DEPLOYMENT)
        found = (one for one in self.all() if wanted in (one["id"], one["modelDeploymentName"]))
        return next(found, None)

    def put(self, deployment: dict[str, Any]) -> None:
        """Keep a deployment; its `id` is made here, never by a client."""
        path = self._folder / f"{deployment['id']}.json"
        with self._lock:
            write_file(path, dump(deployment, indent=2), "write the deployment")
            self._known = {**self._known, deployment["id"]: deployment}

    def remove(self, deployment_id: str) -> None:
        """Forget a deployment."""
        path = self._folder / f"{deployment_id}.json"
        with self._lock, named_errors(path, "remove the deployment"):
            path.unlink(missing_ok=True)
            self._known = {key: one for key, one in self._known.items() if key != deployment_id}


def is_creating(deployment: Mapping[str, Any], pending_s: float) -> bool:
    """Whether a deployment can't answer yet, `pending_s` being how long that takes."""
    return time.time() < float(deployment["createdAt"]) + pending_s
