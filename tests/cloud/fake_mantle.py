"""bedrock-mantle in memory behind a client like OpenAI's: files, jobs, events; with faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from openai import APIStatusError, APITimeoutError

from bedrock_rft_sim.cloud.mantle import Mantle
from tests.cloud.fake_aws import KilledError

SIZE = 2


class Thing(dict[str, Any]):
    """An object of the API."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def to_dict(self, **_options: Any) -> dict[str, Any]:
        return dict(self)


@dataclass
class Page:
    """A page of a list, and the rest."""

    things: list[Thing]

    @property
    def data(self) -> list[Thing]:
        return self.things[:SIZE]

    def has_next_page(self) -> bool:
        return len(self.things) > SIZE

    def get_next_page(self) -> Page:
        return Page(self.things[SIZE:])


@dataclass
class FakeMantle:
    """Its own client, files, jobs and so on: whatever is asked for is a method here."""

    uploads: list[Thing] = field(default_factory=list)
    made: list[Thing] = field(default_factory=list)
    written: list[Thing] = field(default_factory=list)
    """Events, oldest first."""
    calls: list[str] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    """By the number of the call, from 0: throttled, error, timeout, denied, before, after."""

    def mantle(self) -> Mantle:
        return Mantle(self)

    def with_options(self, max_retries: int) -> FakeMantle:
        assert max_retries == 0
        return self

    @property
    def files(self) -> Any:
        return Operations(self, "files")

    @property
    def fine_tuning(self) -> Any:
        return Thing(jobs=Operations(self, "jobs"))

    def do(self, name: str, *named: Any, **asked: Any) -> Any:
        fault = self.faults.get(len(self.calls))
        self.calls.append(name)
        if fault == "before":
            raise KilledError
        statuses = {"throttled": 429, "error": 500, "denied": 403}
        if fault in statuses:
            response: Any = SimpleNamespace(status_code=statuses[fault], request=None, headers={})
            raise APIStatusError(f"{fault} on purpose", response=response, body=None)
        found = getattr(self, f"_{name}")(*named, **asked)
        if fault == "after":
            raise KilledError
        if fault == "timeout":
            nothing: Any = None
            raise APITimeoutError(request=nothing)
        return found

    def _files_list(self, purpose: str) -> Page:
        return Page(list(reversed(self.uploads)))

    def _files_create(self, file: Any, purpose: str) -> Thing:
        name, content = file
        made = Thing(id=f"file-{len(self.uploads)}", filename=name, bytes=len(content.read()))
        self.uploads.append(made)
        return made

    def _files_delete(self, identifier: str) -> None:
        self.uploads = [each for each in self.uploads if each.id != identifier]

    def _jobs_list(self) -> Page:
        return Page(list(reversed(self.made)))

    def _jobs_create(self, model: str, training_file: str, extra_body: Any) -> Thing:
        made = Thing(
            id=f"ftjob-{len(self.made)}",
            model=model,
            training_file=training_file,
            created_at=1_800_000_000,
            status="running",
            **extra_body,
        )
        self.made.append(made)
        return made

    def _jobs_retrieve(self, identifier: str) -> Thing:
        return next(each for each in self.made if each.id == identifier)

    def _jobs_list_events(self, _identifier: str, limit: int) -> Page:
        return Page(list(reversed(self.written)))

    def _checkpoints_list(self, _identifier: str) -> Page:
        return Page([Thing(id="ftckpt-1", step_number=20)])


@dataclass
class Operations:
    """The operations on files or on jobs."""

    fake: FakeMantle
    kind: str

    @property
    def checkpoints(self) -> Operations:
        return Operations(self.fake, "checkpoints")

    def __getattr__(self, name: str) -> Any:
        return lambda *named, **asked: self.fake.do(f"{self.kind}_{name}", *named, **asked)


def metrics(steps: range) -> Iterator[Thing]:
    """Yield the events of training steps."""
    for step in steps:
        data = {"step": step, "total_steps": 67, "critic_rewards_mean": step / 100}
        data["actor_pg_loss"] = None
        yield Thing(
            id=f"ftevent-{step}",
            object="fine_tuning.job.event",
            created_at=1_800_000_000 + step,
            level="info",
            message=f"Step {step}/67: training metrics",
            type="metrics",
            data=data,
        )
