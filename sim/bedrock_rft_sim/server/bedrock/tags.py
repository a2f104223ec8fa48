"""Tags on jobs, custom models and deployments.

Sources: botocore service model bedrock/2023-04-20; 50 tags a resource, AWS general reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.server.bedrock.names import (
    DEPLOYMENT,
    JOB,
    MODEL,
    find_deployment,
    find_job,
    find_model,
)
from bedrock_rft_sim.server.errors import AwsError, not_found
from bedrock_rft_sim.server.rest import Call

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState

TAGS_MAX: Final = 50
TagList = list[dict[str, str]]


class Tags:
    """The operations on tags."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def list(self, call: Call) -> dict[str, Any]:
        """ListTagsForResource."""
        tags, _ = self._tags(call.params["resourceARN"])
        return {"tags": tags}

    def tag(self, call: Call) -> dict[str, Any]:
        """TagResource."""
        tags, keep = self._tags(call.params["resourceARN"])
        by_key = {one["key"]: one for one in [*tags, *call.params["tags"]]}
        if len(by_key) > TAGS_MAX:
            words = f"a resource has at most {TAGS_MAX} tags"
            raise AwsError("TooManyTagsException", words)
        keep(list(by_key.values()))
        return {}

    def untag(self, call: Call) -> dict[str, Any]:
        """UntagResource."""
        tags, keep = self._tags(call.params["resourceARN"])
        keep([one for one in tags if one["key"] not in call.params["tagKeys"]])
        return {}

    def _tags(self, arn: str) -> tuple[TagList, Callable[[TagList], None]]:
        """Return a resource's tags, and what keeps other ones in their place."""
        state = self._state
        if DEPLOYMENT in arn and (deployment := find_deployment(state.deployments, arn)):
            store = state.deployments
            return deployment["tags"], lambda tags: store.put({**deployment, "tags": tags})
        for mark, find, key in ((JOB, find_job, "job_tags"), (MODEL, find_model, "model_tags")):
            job = find(state.jobs, arn) if mark in arn else None
            if job is not None:
                tags = job.bedrock.job_tags if find is find_job else job.bedrock.model_tags
                return [dict(tag) for tag in tags], self._keeper(job.id, key)
        raise not_found(f"Could not find the resource {arn!r}")

    def _keeper(self, job_id: str, key: str) -> Callable[[TagList], None]:
        def keep(tags: TagList) -> None:
            self._state.jobs.update_details(job_id, **{key: tags})

        return keep
