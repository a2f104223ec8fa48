"""Names of tuned models and of ids, both ways.

A tuned model is `ft:<base>:local::<job>`, its checkpoint `…:ckpt-step-20`: OpenAI's form, with the
job's whole id, so that a name leads to one run folder. Bedrock's real form is not published.
Sources: OpenAI API reference, fine_tuning.job.checkpoint; Bedrock user guide,
fine-tuning-openai-job-create (ids as it shows them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_JOB = re.compile(rf"ftjob-({_UUID})")
_FILE = re.compile(_UUID)
_TUNED = re.compile(
    rf"ft:(?P<base>[A-Za-z0-9._:-]{{1,256}}):local::(?P<job>{_UUID})"
    r"(?::ckpt-step-(?P<step>[0-9]{1,9}))?"
)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the name of a tuned model says."""

    base: str
    job: str
    step: int | None
    """None for the model at the end."""


def job_id(job: str) -> str:
    """Return a job's id as the client sees it."""
    return f"ftjob-{job}"


def job_of(shown: str) -> str | None:
    """Return the job behind an id that a client sent; None for one that can't be a job's."""
    match = _JOB.fullmatch(shown)
    return match[1] if match else None


def is_file_id(text: str) -> bool:
    """Whether this can be the id of a file."""
    return _FILE.fullmatch(text) is not None


def tuned_model(base: str, job: str, *, step: int | None = None) -> str:
    """Return the name of a tuned model, or of one of its checkpoints."""
    name = f"ft:{base}:local::{job}"
    return name if step is None else f"{name}:ckpt-step-{step}"


def tuned_of(name: str) -> Tuned | None:
    """Return what a tuned model's name says; None for another name."""
    match = _TUNED.fullmatch(name)
    if match is None:
        return None
    return Tuned(match["base"], match["job"], int(match["step"]) if match["step"] else None)
