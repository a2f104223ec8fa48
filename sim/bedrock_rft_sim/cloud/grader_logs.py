"""What the deployed grader wrote, from CloudWatch Logs, and how it fared.

Lines are only ever added: where the log ends, and what of its last millisecond was taken, stands in
the record before the next page is asked for.

Sources: CloudWatch Logs API reference, FilterLogEvents; AWS Lambda developer guide, "Log and
monitor Python Lambda functions" (REPORT lines).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.cloud.account import DENIED, Aws, AwsRefusalError
from bedrock_rft_sim.cloud.names import function_arn
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.files import named_errors, replace_file
from bedrock_rft_sim.stats.shares import percentile

_REPORT: Final = re.compile(r"REPORT RequestId: (\S+)\s+Duration: ([\d.]+) ms")
_FAILED: Final = re.compile(r"(?:Error Type|Status): (?P<type>\S+)")
_MILLISECOND: Final = 0.001
_AFTER_MS: Final = 60_000
"""Lines reach the log after the invocation that wrote them."""


def pull_grader_log(
    aws: Aws, grader_arn: str, log: Path, record: CloudRecord, *, start: int, end: int
) -> str | None:
    """Add to the log what was written between two times in ms; return why nothing can be read."""
    function = function_arn(grader_arn)
    group = f"/aws/lambda/{function.name}"
    cursor = record.get("log") or {"after": start, "ids": [], "size": 0}
    asked: dict[str, Any] = {
        "logGroupName": group,
        "startTime": cursor["after"],
        "endTime": end + _AFTER_MS,
    }
    while True:
        try:
            found = aws.find("logs", "FilterLogEvents", **asked)
        except AwsRefusalError as error:
            if error.code not in DENIED:
                raise
            return f"the grader's log was not read: {error.what}"
        if found is None:
            return f"there is no log group {group}, so nothing is known of the grader's invocations"
        events = [each for each in found["events"] if _is_of(each, function.qualifier)]
        cursor = _append(log, events, cursor)
        record.set(log=cursor)
        if not found.get("nextToken"):
            return None
        asked["nextToken"] = found["nextToken"]


def _is_of(event: Mapping[str, Any], qualifier: str | None) -> bool:
    """Whether a version wrote an event; a stream's name holds the version in brackets."""
    is_version = qualifier is not None and qualifier.isdecimal()
    return not is_version or f"[{qualifier}]" in str(event.get("logStreamName", f"[{qualifier}]"))


def _append(log: Path, events: list[Any], cursor: dict[str, Any]) -> dict[str, Any]:
    new = [each for each in events if each["eventId"] not in cursor["ids"]]
    if not new:
        return cursor
    lines = "".join(str(each["message"]).rstrip("\n") + "\n" for each in new).encode()
    with named_errors(log, "write the grader's log"):
        # What a kill left behind the size that is written down will be read again.
        before = log.read_bytes()[: cursor["size"]] if log.is_file() else b""
        replace_file(log, before + lines)
    last = max(int(each["timestamp"]) for each in events)
    ids = [each["eventId"] for each in events if int(each["timestamp"]) == last]
    kept = cursor["ids"] if last == cursor["after"] else []
    return {"after": last, "ids": [*kept, *ids], "size": len(before) + len(lines)}


def grader_summary(log: Path) -> dict[str, Any] | None:
    """Return how often the grader was invoked, how long it took and what failed; None if never."""
    if not log.is_file():
        return None
    durations, errors = [], Counter[str]()
    with named_errors(log, "read the grader's log"), log.open(encoding="utf-8") as lines:
        for line in lines:
            match = _REPORT.match(line)
            if match is not None:
                durations.append(float(match[2]) * _MILLISECOND)
                failed = _FAILED.search(line)
                errors.update([failed["type"]] if failed else [])
    if not durations:
        return None
    return {
        "invocations": len(durations),
        "p50_s": percentile(durations, 0.50),
        "p95_s": percentile(durations, 0.95),
        "max_s": max(durations),
        "errors": dict(errors),
    }
