"""A job on Bedrock as a run folder: what Bedrock says of it, its metrics, its grader's log.

What the cloud does not publish is absent, never zero; pulling again only adds.
Where Bedrock writes the metrics of an RFT job is not published: files of the names that Nova's jobs
use are looked for under the job's own prefix, and where there is none, that is said.

Sources: botocore service model bedrock/2023-04-20; Amazon Bedrock user guide,
model-customization-analyze; aws-samples/amazon-nova-samples (the names of the files).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.cloud.grader_logs import grader_summary, pull_grader_log
from bedrock_rft_sim.cloud.names import object_name
from bedrock_rft_sim.cloud.recipe_of_job import recipe_text, request_of, resolved_of
from bedrock_rft_sim.cloud.record import CloudRecord, folder_named, opened
from bedrock_rft_sim.compare.series import read_curves
from bedrock_rft_sim.contract.events import Level, message_event
from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS, OPEN_WEIGHT_RFT_MODELS
from bedrock_rft_sim.contract.metrics import METRICS
from bedrock_rft_sim.contract.statuses import IN_PROGRESS, PHASES, STOPPING
from bedrock_rft_sim.errors import CloudError, DataError, RecipeError
from bedrock_rft_sim.files import dump, write_file
from bedrock_rft_sim.recipe.dialects import bedrock
from bedrock_rft_sim.runs import RunFolder, is_run
from bedrock_rft_sim.runs.folder import RECORD, SCHEMA_VERSION
from bedrock_rft_sim.runs.run import BEDROCK

VALIDATION: Final = "validation_metrics.csv"
OPENAI_JOB: Final = "ftjob-"
"""How a job's id begins in OpenAI's API; Bedrock's own form is not published."""
BYTES_MAX: Final = 64 * 2**20
"""A file of metrics is smaller."""
_TYPE: Final = "REINFORCEMENT_FINE_TUNING"
INNER: Final = frozenset(metric.inner for metric in METRICS) - {"step"}


@dataclass(frozen=True)
class JobName:
    """A job as a person names it, and where it is."""

    region: str
    identifier: str
    folder: Path | None = None
    """Where its cloud.json is, if it has one here."""

    @property
    def is_open_weight(self) -> bool:
        """Whether it is one of bedrock-mantle's, whose ids begin so in OpenAI's API."""
        return self.identifier.startswith(OPENAI_JOB)


@dataclass(frozen=True)
class PulledJob:
    """What is known of a job now."""

    folder: Path
    status: str
    words: str
    """Its status and phases."""
    last_step: int | None
    grader: dict[str, Any] | None
    remarks: tuple[str, ...]

    @property
    def goes_on(self) -> bool:
        """Whether there will be more to pull."""
        return self.status in (IN_PROGRESS, STOPPING)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "folder": str(self.folder),
            "status": self.status,
            "last_step": self.last_step,
            "grader": self.grader,
            "remarks": list(self.remarks),
        }


def job_named(text: str, *, parent: Path) -> JobName:
    """Return which job is meant: a folder under `parent`, an ARN, a name or an id."""
    folder = folder_named(text, parent=parent)
    record = None if folder is None else CloudRecord(folder)
    job = None if record is None else record.get("job")
    if record is not None and job is not None:
        return JobName(record.get("region"), job["arn"] or job["name"], folder)
    parts = text.split(":")
    if parts[0] == "arn" and len(parts) > 3:  # noqa: PLR2004 - the Region's place
        return JobName(parts[3], text)
    models = OPEN_WEIGHT_RFT_MODELS if text.startswith(OPENAI_JOB) else NOVA_RFT_MODELS
    return JobName(next(iter(models.values()))[0], text)


def describe(aws: Aws, identifier: str) -> dict[str, Any]:
    """Return what Bedrock says of a job.

    Raises:
        CloudError: there is no such job, or it is none of reinforcement fine-tuning.
    """
    job = aws.find("bedrock", "GetModelCustomizationJob", jobIdentifier=identifier)
    if job is None:
        raise CloudError(
            "there is no such job",
            where=aws.region,
            expected="the name of a folder under cloud/, an ARN, a job's name or id",
            found=identifier,
        )
    if job.get("customizationType") != _TYPE:
        raise CloudError(
            "the job is none of reinforcement fine-tuning",
            where=identifier,
            expected=_TYPE,
            found=str(job.get("customizationType")),
        )
    return job


def pull(aws: Aws, identifier: str, *, parent: Path) -> PulledJob:
    """Write what is known of a job into `parent/<its name>`, a run folder.

    Raises:
        CloudError: AWS refuses, or the folder holds another job.
        RunFolderError: the disk refuses.
    """
    job = describe(aws, identifier)
    folder = parent / str(job["jobName"])
    with opened(folder) as record:
        _note(record, job, aws.region)
        with opened_run(folder) as run:
            return _pulled(aws, job, run, record)


def opened_run(folder: Path) -> RunFolder:
    """Return a job's run folder, locked; it is made where there is none."""
    if not is_run(folder):
        first = {"schema_version": SCHEMA_VERSION, "name": folder.name, "origin": BEDROCK}
        write_file(folder / RECORD, dump(first) + "\n", "write the run record")
    return RunFolder.open(folder, write=True)


def _note(record: CloudRecord, job: Mapping[str, Any], region: str) -> None:
    """Write down which job the folder holds."""
    known, arn = record.get("job"), str(job["jobArn"])
    if known is None:
        described = {"name": job["jobName"], "token": None, "request": request_of(job), "arn": arn}
        record.set(region=region, dialect="bedrock", job=described)
    elif known["arn"] is None and known["token"] == job.get("clientRequestToken"):
        record.set(job={**known, "arn": arn})  # the answer to the call that made it was lost
    elif known["arn"] != arn:
        raise CloudError(
            "the folder is another job's",
            where=str(record.path),
            expected=arn,
            found=str(known["arn"]),
            hint="give another --out",
        )


def _pulled(aws: Aws, job: Mapping[str, Any], run: RunFolder, record: CloudRecord) -> PulledJob:
    status, words = str(job["status"]), _words(job)
    request = request_of(job)
    grader_arn = bedrock.grader_arn(request)
    remarks = write_recipe(run, request, grader_arn, arn=str(job["jobArn"]))
    if words != run.last_message():
        level: Level = "error" if job.get("failureMessage") else "info"
        run.append_event(message_event(words, level=level, created_at=_seconds(job)))
    remarks += _pull_metrics(aws, job, run) if job.get("endTime") else []
    begun, ended = job["creationTime"], job.get("endTime") or datetime.now(UTC)
    start, end = (int(when.timestamp() * 1000) for when in (begun, ended))
    missing = pull_grader_log(aws, grader_arn, run.grader_log, record, start=start, end=end)
    remarks += [] if missing is None else [missing]
    grader = grader_summary(run.grader_log)
    lines = run.read_metrics()
    run.write_record(
        status=status,
        origin=BEDROCK,
        job_arn=str(job["jobArn"]),
        model_arn=job.get("outputModelArn"),
        started=begun.isoformat(timespec="seconds"),
        ended=job["endTime"].isoformat(timespec="seconds") if job.get("endTime") else None,
        error=job.get("failureMessage"),
        grader=grader,
        estimate=record.get("estimate"),
        remarks=remarks,
    )
    last = max((line["step"] for line in lines), default=None)
    return PulledJob(run.path, status, words, last, grader, tuple(remarks))


def _words(job: Mapping[str, Any]) -> str:
    """Say a job's status, its phases and why it failed."""
    details = job.get("statusDetails") or {}
    phases = [
        f"{name.removesuffix('Details')} {details[name]['status']}"
        for name in PHASES
        if (details.get(name) or {}).get("status")
    ]
    said = ", ".join(phases)
    failure = job.get("failureMessage")
    head = f"{job['status']}: {said}" if said else str(job["status"])
    return f"{head}; {failure}" if failure else head


def _seconds(job: Mapping[str, Any]) -> int:
    return int((job.get("lastModifiedTime") or job["creationTime"]).timestamp())


def write_recipe(
    run: RunFolder, request: Mapping[str, Any], grader_arn: str, *, arn: str
) -> list[str]:
    """Write a job's request; return why it can't be understood as a recipe."""
    remarks: list[str] = []
    text = recipe_text(request, grader_arn, arn=arn)
    resolved: dict[str, Any] = {"name": run.name, "request": dict(request)}
    try:
        resolved = resolved_of(text, name=run.name)
    except RecipeError as error:
        remarks.append(f"the job's request can't be read as a recipe: {error.what}")
    run.write_recipe(text, resolved=resolved, request=request)
    return remarks


def _pull_metrics(aws: Aws, job: Mapping[str, Any], run: RunFolder) -> list[str]:
    """Add the metrics that the job left in its bucket; return what to say about them."""
    wanted = {run.nova_csv.name: run.nova_csv, VALIDATION: run.path / VALIDATION}
    place = object_name(str(job["outputDataConfig"]["s3Uri"]))
    start = f"{place.key.rstrip('/')}/" if place.key.rstrip("/") else ""
    prefix = f"{start}model-customization-job-{str(job['jobArn']).rpartition('/')[2]}/"
    remarks, found = [], []
    for listed in _objects(aws, place.bucket, prefix):
        path = wanted.get(str(listed["Key"]).rpartition("/")[2])
        if path is None:
            continue
        if listed["Size"] > BYTES_MAX:
            remarks.append(f"{listed['Key']} was not read: it is larger than any file of metrics")
            continue
        body = aws.call("s3", "GetObject", Bucket=place.bucket, Key=listed["Key"])["Body"]
        write_file(path, aws.read(body), "write the job's metrics")
        found.append(path)
    if not found:
        remarks.append(
            f"under s3://{place.bucket}/{prefix} lies no {' or '.join(wanted)}; where Bedrock "
            "writes the metrics of RFT jobs is not published"
        )
    return [*remarks, *_add_metrics(run, found)]


def _objects(aws: Aws, bucket: str, prefix: str) -> Iterable[Mapping[str, Any]]:
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        found = aws.call("s3", "ListObjectsV2", **asked)
        yield from found.get("Contents", ())
        if not found.get("NextContinuationToken"):
            return
        asked["ContinuationToken"] = found["NextContinuationToken"]


def _add_metrics(run: RunFolder, paths: Iterable[Path]) -> list[str]:
    """Put the files' values over the lines that are there; return what could not be read."""
    lines = {int(line["step"]): line for line in run.read_metrics()}
    remarks = []
    for path in paths:
        try:
            (curves,) = read_curves(path, kind="nova-csv")
        except DataError as error:
            remarks.append(f"{path.name} holds no metrics that can be read: {error.what}")
            continue
        for curve in curves.series.values():
            if curve.metric in INNER:
                for step, value in zip(curve.steps, curve.values, strict=True):
                    lines.setdefault(step, {"step": step})[curve.metric] = value
    text = "".join(dump(lines[step]) + "\n" for step in sorted(lines))
    write_file(run.metrics, text, "write the metrics")
    return remarks
