"""The seconds that Lambda would bill, from the REPORT lines of a run's grader.log.

Source: AWS Lambda developer guide, "Log and monitor Python Lambda functions" (Billed Duration, in
whole milliseconds for each invocation).
"""

from __future__ import annotations

import re
from pathlib import Path

from bedrock_rft_sim.runs import disk

_REPORT = re.compile(r"REPORT RequestId: \S+\t(?:[^\t]*\t)*Billed Duration: (\d+) ms\t")
MILLISECOND = 0.001
"""What Lambda bills at least for an invocation."""


def billed_seconds(log: Path) -> list[float]:
    """Return the billed seconds of every invocation, failed ones too; none if there is no log."""
    if not log.is_file():
        return []
    with disk.named_errors(log, "read the grader's log"), log.open(encoding="utf-8") as lines:
        found = (_REPORT.match(line) for line in lines)
        return [int(match[1]) * MILLISECOND for match in found if match]
