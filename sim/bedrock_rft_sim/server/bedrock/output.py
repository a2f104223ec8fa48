"""Write what a finished job made to `outputDataConfig.s3Uri`.

The keys follow Bedrock's general layout; the one of RFT jobs is not published, and the columns are
those of Nova's own CSV.
Sources: Amazon Bedrock user guide, model-customization-analyze; the Nova sample notebooks.
"""

from __future__ import annotations

import contextlib
import csv
import io

from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.aws.local_s3 import LocalS3, S3Error, parse_uri

TRAINING = "training_artifacts/step_wise_training_metrics.csv"
VALIDATION = "validation_artifacts/post_fine_tuning_validation/validation/validation_metrics.csv"


def deliver(s3: LocalS3, job: Job) -> None:
    """Write the metrics of a Bedrock job that ended with some; a bucket may be gone by then."""
    uri = job.request.get("outputDataConfig", {}).get("s3Uri")
    if job.kind != "bedrock" or not uri or not job.folder.is_dir():
        return
    bucket, prefix = parse_uri(uri)
    folder = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
    base = f"{folder}model-customization-job-{job.id}"
    with contextlib.suppress(S3Error):
        for name, content in _artifacts(RunFolder(job.folder)).items():
            s3.put(bucket, f"{base}/{name}", content)


def _artifacts(folder: RunFolder) -> dict[str, bytes]:
    found = {}
    if folder.nova_csv.is_file():
        found[TRAINING] = folder.nova_csv.read_bytes()
    keys = ("validation_rewards_mean", "validation_response_length_mean")
    lines = [line for line in folder.read_metrics() if line.get(keys[0]) is not None]
    if lines:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("step_number", *keys))
        writer.writerows([line.get(name) for name in ("step", *keys)] for line in lines)
        found[VALIDATION] = out.getvalue().encode()
    return found
