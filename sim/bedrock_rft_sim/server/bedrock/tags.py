"""Tags on jobs, custom models and deployments.

Sources: botocore service model bedrock/2023-04-20; 50 tags a resource, AWS general reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from bedrock_rft_sim.server.bedrock.names import DEPLOYMENT, JOB, MODEL, find_job, find_model
from bedrock_rft_sim.server.errors import AwsError, not_found
from bedrock_rft_sim.server.rest import Call
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
            raise AwsError("TooManyTagsException", f"a resource has at most {TAGS_MAX} tags")
        keep(list(by_key.values()))
        return {}

    def untag(self, call: Call) -> dict[str, Any]:
        """UntagResource."""
        tags, keep = self._tags(call.params["resourceARN"])
        keep([one for one in tags if one["key"] not in call.params["tagKeys"]])
        return {}

    def _tags(self, arn: str) -> tuple[TagList, Callable[[TagList], object]]:
        """Return a resource's tags, and what keeps other ones in their place."""
        jobs, store = self._state.jobs, self._state.deployments
        if DEPLOYMENT in arn and (deployment := store.find(arn)):
            return deployment["tags"], lambda tags: store.put({**deployment, "tags": tags})
        if JOB in arn and (job := find_job(jobs, arn)):
            keep = partial(jobs.update_details, job.id)
            return _plain(job.bedrock.job_tags), lambda tags: keep(job_tags=tags)
        if MODEL in arn and (job := find_model(jobs, arn)):
            keep = partial(jobs.update_details, job.id)
            return _plain(job.bedrock.model_tags), lambda tags: keep(model_tags=tags)
        raise not_found(f"Could not find the resource {arn!r}")


def _plain(tags: Iterable[Mapping[str, str]]) -> TagList:
    return [dict(tag) for tag in tags]
