"""A sampled answer of a probe, what it comes from, and the file that a killed probe resumes from.

The first line of the file says which probe it is; each further line is one sample. A sample without
a grade says why: nothing stands in for a grade.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bedrock_rft_sim import files
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import DataError

SCHEMA_VERSION = 1

Wanted = Callable[[int, int], bool]
"""Takes a prompt's position and a sample's number; says whether that sample is still missing."""


@dataclass(frozen=True)
class ProbeSample:
    """One answer to one prompt, ungraded until it has a grade; or the reason why there is none."""

    prompt_id: str
    prompt: int
    """Position of the prompt among those of the probe."""
    sample: int
    """0-based, less than the number of samples per prompt."""
    text: str | None = None
    tokens: int | None = None
    """Response tokens, the end token included; None where the endpoint does not say."""
    prompt_tokens: int | None = None
    stop_reason: str | None = None
    """`stop` or `length`."""
    grade: float | None = None
    components: list[dict[str, Any]] = field(default_factory=list)
    """The handler's metrics_list."""
    grader_s: float | None = None
    """Seconds of the handler's invocation, shared out among the answers of its event."""
    sampling_s: float | None = None
    """Seconds of generating, shared out among the answers generated together; local model only."""
    engine: str | None = None
    """Which back end answered, as local.engine names it; local model only."""
    fault: str | None = None
    """Why there is no answer, hence no grade."""
    request_changes: list[str] = field(default_factory=list)
    """Parameters that the endpoint refused, and what was sent instead."""


class GivenUpError(Exception):
    """The source will not be sampled any further; says why in words for the user."""


class SampleSource(Protocol):
    """A model that can be sampled."""

    def samples_of(
        self, rows: Sequence[Row], wanted: Wanted, *, last: Collection[int] = ()
    ) -> Iterator[list[ProbeSample]]:
        """Yield the wanted answers, ungraded, in batches that are graded together.

        `last` are prompts that failed before; where order is free they are sampled last.

        Raises:
            GivenUpError: nothing more is sampled.
        """


class SampleFile:
    """The samples so far; appended one by one."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Open or begin the file.

        Raises:
            DataError: the file belongs to another probe.
            RunFolderError: the disk refuses.
        """
        self.path = path
        self._identity = {"probe_schema": SCHEMA_VERSION, **identity}
        with files.named_errors(path, "read the file of samples"):
            lines = files.keep_lines(path, lambda _line: True)  # what a kill tore is cut off
        if not lines:
            first = files.dump(self._identity) + "\n"
            files.write_file(path, first, "begin the file of samples", parents=True)
        elif lines[0] != self._identity:
            raise self._another(lines[0])
        self._samples = {(s.prompt, s.sample): s for s in map(_from_record, lines[1:])}

    def _another(self, found: Mapping[str, Any]) -> DataError:
        differing = sorted(
            name
            for name in {*self._identity, *found}
            if self._identity.get(name) != found.get(name)
        )
        return DataError(
            "the file holds the samples of another probe",
            where=str(self.path),
            expected="the same recipe, model, reward, prompts and samples",
            found="a difference in " + ", ".join(differing),
            hint="give another --out, or remove the file",
        )

    @property
    def samples(self) -> list[ProbeSample]:
        """The samples, in the order of prompts and samples; the last word on each counts."""
        return [self._samples[key] for key in sorted(self._samples)]

    def has(self, prompt: int, sample: int) -> bool:
        """Whether this sample is there and graded."""
        found = self._samples.get((prompt, sample))
        return found is not None and found.fault is None

    def failed(self) -> list[ProbeSample]:
        """Return those that were sampled and have no grade."""
        return [found for found in self._samples.values() if found.fault is not None]

    def append(self, samples: Iterable[ProbeSample]) -> None:
        """Write samples down, each as one line."""
        for sample in samples:
            with files.named_errors(self.path, "append a sample"):
                files.append_line(self.path, files.dump(dataclasses.asdict(sample)))
            self._samples[sample.prompt, sample.sample] = sample


def _from_record(record: dict[str, Any]) -> ProbeSample:
    names = {field.name for field in dataclasses.fields(ProbeSample)}
    return ProbeSample(**{name: value for name, value in record.items() if name in names})
