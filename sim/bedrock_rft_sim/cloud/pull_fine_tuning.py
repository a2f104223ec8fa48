"""A job of bedrock-mantle as a run folder: its events, its checkpoints, its grader's log.

Sources: OpenAI API reference, fine_tuning.jobs; the one published metrics event, in
aws-samples/amazon-bedrock-samples.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.cloud.grader_logs import grader_summary, pull_grader_log
from bedrock_rft_sim.cloud.mantle import Mantle, MantleRefusalError
from bedrock_rft_sim.cloud.pull import INNER, PulledJob, opened_run, write_recipe
from bedrock_rft_sim.cloud.record import CloudRecord, opened
from bedrock_rft_sim.contract.statuses import COMPLETED, FAILED, IN_PROGRESS, STOPPED
from bedrock_rft_sim.errors import CloudError
from bedrock_rft_sim.files import dump, write_file
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.runs.run import BEDROCK

STATUSES: Final = {"succeeded": COMPLETED, "failed": FAILED, "cancelled": STOPPED}
"""OpenAI's words in Bedrock's; all others are of a job that goes on."""
CHECKPOINTS: Final = "checkpoints.json"
_PAGE: Final = 100


def retrieve(mantle: Mantle, identifier: str) -> dict[str, Any]:
    """Return what bedrock-mantle says of a job.

    Raises:
        CloudError: there is no such job, or it is none of reinforcement fine-tuning.
    """
    try:
        found = mantle.call(
            "fine_tuning.jobs.retrieve",
            lambda client: client.fine_tuning.jobs.retrieve(identifier),
        )
    except MantleRefusalError as error:
        if not error.missing:
            raise
        raise CloudError("there is no such job", where="bedrock-mantle", found=identifier) from None
    job: dict[str, Any] = found.to_dict(mode="json", warnings=False)
    if "reinforcement" not in (job.get("method") or {}):
        raise CloudError("the job is none of reinforcement fine-tuning", where=identifier)
    return job


def pull_fine_tuning(aws: Aws, mantle: Mantle, identifier: str, *, folder: Path) -> PulledJob:
    """Write what is known of a job into a run folder.

    Raises:
        CloudError: bedrock-mantle or AWS refuses, or the folder holds another job.
        RunFolderError: the disk refuses.
    """
    job = retrieve(mantle, identifier)
    with opened(folder) as record:
        _note(record, job, aws.region)
        with opened_run(folder) as run:
            return _pulled(aws, mantle, job, run, record)


def _note(record: CloudRecord, job: dict[str, Any], region: str) -> None:
    known = record.get("job")
    if known is None:
        described = {
            "name": job["id"],
            "token": None,
            "request": request_of_job(job),
            "arn": job["id"],
        }
        record.set(region=region, dialect=openai.NAME, job=described)
    elif known["arn"] != job["id"]:
        raise CloudError(
            "the folder is another job's",
            where=str(record.path),
            expected=str(job["id"]),
            found=str(known["arn"]),
            hint="give another --out",
        )


def request_of_job(job: dict[str, Any]) -> dict[str, Any]:
    """Return the request of a job as bedrock-mantle describes it."""
    return {key: job[key] for key in ("model", "training_file", "method")}


def _pulled(
    aws: Aws, mantle: Mantle, job: dict[str, Any], run: RunFolder, record: CloudRecord
) -> PulledJob:
    request = record.get("job")["request"]
    remarks = write_recipe(run, request, openai.grader_arn(request), arn=str(job["id"]))
    _add_events(mantle, job, run)
    _write_checkpoints(mantle, job, run)
    ended = job.get("finished_at")
    end = int(ended or datetime.now(UTC).timestamp()) * 1000
    try:
        missing = pull_grader_log(
            aws,
            openai.grader_arn(request),
            run.grader_log,
            record,
            start=int(job["created_at"]) * 1000,
            end=end,
        )
    except CloudError as refused:  # a key for bedrock-mantle is none for CloudWatch
        missing = f"the grader's log was not read: {refused.what}"
    remarks += [] if missing is None else [missing]
    status, error = STATUSES.get(str(job["status"]), IN_PROGRESS), job.get("error") or {}
    grader = grader_summary(run.grader_log)
    run.write_record(
        status=status,
        origin=BEDROCK,
        job_arn=str(job["id"]),
        model_arn=job.get("fine_tuned_model"),
        started=_time(job["created_at"]),
        ended=None if ended is None else _time(ended),
        error=error.get("message"),
        grader=grader,
        estimate=record.get("estimate"),
        remarks=remarks,
    )
    last = max((line["step"] for line in run.read_metrics()), default=None)
    return PulledJob(run.path, status, str(job["status"]), last, grader, tuple(remarks))


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _add_events(mantle: Mantle, job: dict[str, Any], run: RunFolder) -> None:
    """Add the events that are new, oldest first, and the metrics in them."""
    known = {event["id"] for event in run.read_events()}
    steps = {line["step"] for line in run.read_metrics()}
    new = []
    for event in mantle.pages(
        "fine_tuning.jobs.list_events",
        lambda client: client.fine_tuning.jobs.list_events(job["id"], limit=_PAGE),
    ):
        if event.id in known:
            break  # the newest are listed first, so the rest is there
        new.append(event.to_dict(mode="json", warnings=False))
    for event in reversed(new):
        line = _metrics(event)
        if line is not None and line["step"] not in steps:
            steps.add(line["step"])
            run.append_metrics(line)
        run.append_event(event)  # last: an event that is there has its metrics


def _metrics(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metrics of an event by inner name; None where it has none."""
    data = event.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("step"), int):
        return None
    found = {name: value for name, value in data.items() if name in INNER and is_number(value)}
    return {"step": data["step"], **found} if found else None


def _write_checkpoints(mantle: Mantle, job: dict[str, Any], run: RunFolder) -> None:
    listed = mantle.pages(
        "fine_tuning.jobs.checkpoints.list",
        lambda client: client.fine_tuning.jobs.checkpoints.list(job["id"]),
    )
    found = [each.to_dict(mode="json", warnings=False) for each in listed]
    if found:
        text = dump({"checkpoints": found}, indent=2) + "\n"
        write_file(run.path / CHECKPOINTS, text, "write the checkpoints")
