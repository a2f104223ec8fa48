"""The job of the openai dialect: its file, and a creation that has no token.

A file's name holds the hash of its content, so an equal one is found again by its name.
No idempotency is offered: the request and the jobs that are there are written down before the job
is created, and after an unclear failure a new job of the same file is looked for before anything is
asked again.

Sources: OpenAI API reference, files and fine_tuning.jobs; Amazon Bedrock user guide,
fine-tuning-openai-job-create.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bedrock_rft_sim.cloud.mantle import Mantle, MantleRefusalError
from bedrock_rft_sim.cloud.prepared import DataFile, Prepared
from bedrock_rft_sim.cloud.record import ASKED, MADE, CloudRecord
from bedrock_rft_sim.cloud.steps import PlannedStep
from bedrock_rft_sim.errors import CloudError

FILE: Final = "file"
KIND: Final = "job"
PURPOSE: Final = "fine-tune"
SHOWN: Final = 12
"""Digits of a hash in a file's name."""


def upload_name(file: DataFile) -> str:
    """Return the name under which a file is uploaded."""
    return f"rft-{file.sha256[:SHOWN]}.jsonl"


def plan_file(mantle: Mantle, file: DataFile) -> PlannedStep:
    """Say what will become of the training file."""
    name, size = upload_name(file), f"{file.size:,} bytes"
    if find_file(mantle, name) is not None:
        return PlannedStep(FILE, name, "keep", f"{name} is uploaded already ({file.what})")
    return PlannedStep(FILE, name, "upload", f"upload {file.what} ({size}) as {name}")


def find_file(mantle: Mantle, name: str) -> str | None:
    """Return the id of an uploaded file; None where none has this name."""
    listed = mantle.pages("files.list", lambda client: client.files.list(purpose=PURPOSE))
    return next((str(each.id) for each in listed if each.filename == name), None)


def make_file(mantle: Mantle, file: DataFile, record: CloudRecord) -> str:
    """Upload the training file unless it is there, and return its id."""
    name = upload_name(file)
    known = find_file(mantle, name)
    if known is None:
        record.own(FILE, name)
        with file.open() as content:
            upload = (name, content)
            # Without the client's own retries: a second upload would be a second file.
            made = mantle.call(
                "files.create",
                lambda client: client.with_options(max_retries=0).files.create(
                    file=upload, purpose=PURPOSE
                ),
            )
        known = str(made.id)
    if record.state(FILE, name) == ASKED:
        record.own(FILE, name, MADE)
    return known


def plan_fine_tuning(prepared: Prepared, record: CloudRecord) -> PlannedStep:
    """Say what will be sent."""
    model = prepared.recipe.base_model
    words = f"POST /v1/fine_tuning/jobs for {model}"
    job = record.get("job")
    if job is not None and job["arn"] is None and is_fine_tuning_of(prepared, job):
        words += ": asked for before, so the job is looked for first"
    return PlannedStep(KIND, prepared.recipe.name, "submit", words)


def make_fine_tuning(
    mantle: Mantle, prepared: Prepared, record: CloudRecord, *, function: str, file: str
) -> str:
    """Create the job and return its id.

    Raises:
        CloudError: bedrock-mantle refuses, or it is not clear whether it made the job.
    """
    request = _request(prepared, function, file)
    before = record.get("job")
    lost = None if before is None else _find_lost(mantle, before)
    if lost is not None:
        if before["request"] == request:
            return _noted(record, before, lost)
        raise CloudError(
            "an earlier submission, whose answer was lost, became a job with another request",
            where=str(record.path),
            found=lost,
            hint=f"rft stop {lost}, then move the folder away and submit again",
        )
    there = [str(each.id) for each in _jobs(mantle)]
    asked = datetime.now(UTC).isoformat(timespec="seconds")
    job = {
        "name": prepared.recipe.name,
        "token": asked,
        "request": request,
        "arn": None,
        "there": there,
    }
    record.set(job=job)
    try:
        # The method goes in whole: the client's own types do not know the grader.
        made = mantle.call(
            "fine_tuning.jobs.create",
            lambda client: client.with_options(max_retries=0).fine_tuning.jobs.create(
                model=request["model"],
                training_file=file,
                extra_body={"method": request["method"]},
            ),
        )
    except MantleRefusalError as error:
        lost = _find_lost(mantle, job) if error.unclear else None
        if lost is None:
            raise
        return _noted(record, job, lost)
    return _noted(record, job, str(made.id))


def _noted(record: CloudRecord, job: dict[str, Any], identifier: str) -> str:
    record.set(job={**job, "arn": identifier})
    return identifier


def _find_lost(mantle: Mantle, job: dict[str, Any]) -> str | None:
    """Return the one job that came into being since this one was asked for, of the same file."""
    found = [
        str(each.id)
        for each in _jobs(mantle)
        if str(each.id) not in job["there"]
        and each.training_file == job["request"]["training_file"]
        and each.model == job["request"]["model"]
    ]
    if len(found) > 1:
        raise CloudError(
            "several new jobs could be the one that was asked for",
            where="bedrock-mantle",
            expected="one",
            found=", ".join(found),
            hint="look at them, and cancel those that are too many with rft stop ID",
        )
    return found[0] if found else None


def _jobs(mantle: Mantle) -> list[Any]:
    return list(
        mantle.pages("fine_tuning.jobs.list", lambda client: client.fine_tuning.jobs.list())
    )


def _request(prepared: Prepared, function: str, file: str) -> dict[str, Any]:
    request = copy.deepcopy(prepared.recipe.request)
    request["training_file"] = file
    request["method"]["reinforcement"]["grader"]["lambda"]["function"] = function
    return request


def is_fine_tuning_of(prepared: Prepared, job: Mapping[str, Any]) -> bool:
    """Whether a job was asked for with this recipe's request, whatever version and file."""
    sent = job["request"]
    function = sent["method"]["reinforcement"]["grader"]["lambda"]["function"]
    return bool(_request(prepared, function, sent["training_file"]) == sent)
