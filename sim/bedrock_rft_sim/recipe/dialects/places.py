"""The Region inside an ARN, and whether a reward function stands where its job runs.

Deliberately looks nothing up: an ARN is only read.
Sources: AWS Bedrock user guide, rft-nova-models and fine-tuning-openai-apis (Regions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bedrock_rft_sim.recipe.dialects.finding import Finding

_REGION_FIELD: Final = 3


def region_of(arn: str) -> str | None:
    """Read the Region out of an ARN; None for anything else."""
    fields = arn.split(":")
    is_arn = fields[0] == "arn" and len(fields) > _REGION_FIELD
    return fields[_REGION_FIELD] if is_arn else None


def check_lambda_region(
    arn: str, *, path: str, regions: Sequence[str], source: str
) -> Iterator[Finding]:
    """Yield a finding where the function is in none of the Regions that run such jobs."""
    region = region_of(arn)
    if region is not None and region not in regions:
        yield Finding(
            path=path,
            value=arn,
            rule="a function in " + ", ".join(regions) + ", where the job runs",
            source=f"{source} (that the function must be in the job's Region is inferred)",
            problem="reward function in another Region",
        )
