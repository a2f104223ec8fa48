"""Create, read, list and delete deployments of custom models.

A deployment is Creating for as long as the server's `pending_s` says; the model is loaded by its
first question.
Assumed: a name in use is a ValidationException, since Create lists no ConflictException.
Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from bedrock_rft_sim.jobs.job import new_bedrock_id
from bedrock_rft_sim.server.bedrock import names
from bedrock_rft_sim.server.bedrock.deployments import is_creating
from bedrock_rft_sim.server.errors import invalid, not_found
from bedrock_rft_sim.server.pages import bedrock_page, is_within
from bedrock_rft_sim.server.rest import Call
from bedrock_rft_sim.server.state import ServerState


class DeploymentOperations:
    """The operations on deployments."""

    def __init__(self, state: ServerState) -> None:
        self._jobs = state.jobs
        self._store = state.deployments
        self._pending_s = state.pending_s
        self._creating = threading.Lock()

    def create(self, call: Call) -> dict[str, Any]:
        """CreateCustomModelDeployment."""
        params = call.params
        token = params.get("clientRequestToken")
        with self._creating:
            for known in self._store.all():
                if token is not None and known["token"] == token:
                    return {"customModelDeploymentArn": known["arn"]}
                if known["modelDeploymentName"] == params["modelDeploymentName"]:
                    name = known["modelDeploymentName"]
                    raise invalid(f"a custom model deployment named {name!r} already exists")
            job = names.find_model(self._jobs, params["modelArn"])
            if job is None:
                raise not_found(f"Could not find custom model {params['modelArn']!r}")
            own = new_bedrock_id()
            arn = f"arn:aws:bedrock:{call.region}:{names.ACCOUNT}{names.DEPLOYMENT}{own}"
            deployment = {
                "id": own,
                "arn": arn,
                "token": token,
                "createdAt": time.time(),
                "modelArn": names.model_arn(job),
                "tags": params.get("tags", []),
                "modelDeploymentName": params["modelDeploymentName"],
                "description": params.get("description"),
            }
            self._store.put(deployment)
        return {"customModelDeploymentArn": arn}

    def get(self, call: Call) -> dict[str, Any]:
        """GetCustomModelDeployment."""
        found = self._found(call)
        own = {name: found[name] for name in ("modelDeploymentName", "description")}
        return {**self._summary(found), **own}

    def list(self, call: Call) -> dict[str, Any]:
        """ListCustomModelDeployments."""
        params = call.params
        wanted = [
            one
            for one in self._store.all()
            if is_within(one["createdAt"], params, named="created")
            and params.get("nameContains", "") in one["modelDeploymentName"]
            and params.get("statusEquals", status := self._status(one)) == status
            and params.get("modelArnEquals", one["modelArn"]) == one["modelArn"]
        ]
        shown, following = bedrock_page(
            wanted, params, key=lambda one: (one["createdAt"], one["id"])
        )
        summaries = [
            {**self._summary(one), "customModelDeploymentName": one["modelDeploymentName"]}
            for one in shown
        ]
        return {"modelDeploymentSummaries": summaries, "nextToken": following}

    def delete(self, call: Call) -> dict[str, Any]:
        """DeleteCustomModelDeployment."""
        self._store.remove(self._found(call)["id"])
        return {}

    def _summary(self, one: dict[str, Any]) -> dict[str, Any]:
        """Return what Get and List both say."""
        status = self._status(one)
        active = one["createdAt"] + self._pending_s
        return {
            "customModelDeploymentArn": one["arn"],
            "modelArn": one["modelArn"],
            "createdAt": one["createdAt"],
            "status": status,
            "lastUpdatedAt": active if status == "Active" else one["createdAt"],
        }

    def _status(self, one: dict[str, Any]) -> str:
        return "Creating" if is_creating(one, self._pending_s) else "Active"

    def _found(self, call: Call) -> dict[str, Any]:
        identifier = call.params["customModelDeploymentIdentifier"]
        found = self._store.find(identifier)
        if found is None:
            raise not_found(f"Could not find custom model deployment {identifier!r}")
        return found
