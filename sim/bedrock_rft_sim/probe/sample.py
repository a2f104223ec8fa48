"""One sampled and graded answer of a probe, and the file of them that a killed probe resumes from.

The first line of the file says which probe it is; each further line is one sample. A sample without
a grade says why: nothing stands in for a grade.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import DataError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ProbeSample:
    """One answer to one prompt."""

    prompt_id: str
    prompt: int
    """Position of the prompt among those of the probe."""
    sample: int
    """0-based, less than the number of samples per prompt."""
    text: str | None
    tokens: int | None
    """Response tokens, the end token included; None where the endpoint does not say."""
    prompt_tokens: int | None
    stop_reason: str | None
    """`stop` or `length`."""
    grade: float | None
    components: list[dict[str, Any]]
    """The handler's metrics_list."""
    grader_s: float | None = None
    """Seconds of the handler's invocation, shared out among the answers of its event."""
    sampling_s: float | None = None
    """Seconds of generating, shared out among the answers generated together; local model only."""
    fault: str | None = None
    """Why there is no answer, hence no grade."""


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
        lines = files.read_json_lines(path)
        if not lines:
            self._begin()
        elif lines[0] != self._identity:
            raise self._another(lines[0])
        self._samples = {(s.prompt, s.sample): s for s in map(_from_record, lines[1:])}
        self._mend_last_line()

    def _begin(self) -> None:
        line = files.dump(self._identity) + "\n"
        files.write_file(self.path, line, "begin the file of samples", parents=True)

    def _mend_last_line(self) -> None:
        """Cut off what a kill left of a last line, so that the next one starts on its own."""
        with files.named_errors(self.path, "read the file of samples"):
            data = self.path.read_bytes()
            if not data.endswith(b"\n"):
                files.replace_file(self.path, data[: data.rfind(b"\n") + 1])

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

    def failed(self) -> frozenset[tuple[int, int]]:
        """Return prompt and sample of those that were asked for and have no grade."""
        return frozenset(key for key, found in self._samples.items() if found.fault is not None)

    def append(self, samples: Iterable[ProbeSample]) -> None:
        """Write samples down, each as one line."""
        for sample in samples:
            line = json.dumps(dataclasses.asdict(sample), allow_nan=False, separators=(",", ":"))
            with files.named_errors(self.path, "append a sample"):
                files.append_line(self.path, line)
            self._samples[sample.prompt, sample.sample] = sample


def _from_record(record: dict[str, Any]) -> ProbeSample:
    names = {field.name for field in dataclasses.fields(ProbeSample)}
    return ProbeSample(**{name: value for name, value in record.items() if name in names})
