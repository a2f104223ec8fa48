"""CloudWatch Logs: read what functions printed, as the console and `aws logs tail` do.

Each job's grader has a stream too, which ends with the job's id and stays as long as its run.
Filter patterns may be terms: all of them, `?term` for any of several, `-term` for none, quotes for
phrases; patterns of JSON, of columns and of regular expressions are refused.
Sources: botocore service model logs/2014-03-28; CloudWatch Logs user guide, filter and pattern
syntax.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from bedrock_rft_sim.recipe.dialects import DIALECTS
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.bedrock.names import ACCOUNT
from bedrock_rft_sim.server.errors import NOT_SIMULATED, AwsError, not_found
from bedrock_rft_sim.server.lambda_.logs import LogStream, read_graded
from bedrock_rft_sim.server.lambda_.references import FunctionId, find_function
from bedrock_rft_sim.server.lambda_.store import LATEST
from bedrock_rft_sim.server.pages import LOGS, LOGS_DESCRIBED, decode_key, encode_key, page
from bedrock_rft_sim.server.rest import Call
from bedrock_rft_sim.server.state import ServerState

PREFIX: Final = "/aws/lambda/"
_GROUP: Final = ":log-group:"
_TERM: Final = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"{}\[\]%]+))\s*')
_FORWARD: Final = "f/"
_BACKWARD: Final = "b/"
_EVENTS: Final = 10_000
Matches = Callable[[str], bool]


class LogOperations:
    """The operations on log groups, streams and events."""

    def __init__(self, state: ServerState) -> None:
        self._logs = state.logs
        self._jobs = state.jobs

    def describe_groups(self, call: Call) -> dict[str, Any]:
        """DescribeLogGroups."""
        start, part = (call.params.get(f"logGroupName{end}", "") for end in ("Prefix", "Pattern"))
        names = ((PREFIX + one.name, one) for one in self._groups(call.region))
        wanted = [each for each in names if each[0].startswith(start) and part in each[0]]
        shown, following = page(
            wanted, call.params, paging=LOGS_DESCRIBED, key=lambda each: (each[0],)
        )
        return {"logGroups": [self._group(one) for _, one in shown], "nextToken": following}

    def describe_streams(self, call: Call) -> dict[str, Any]:
        """DescribeLogStreams."""
        params = call.params
        function = self._function(call)
        found = [
            _stream(one, function)
            for one in self._streams(function)
            if one.name.startswith(params.get("logStreamNamePrefix", ""))
        ]
        order = "lastEventTimestamp" if params.get("orderBy") == "LastEventTime" else "arn"
        shown, following = page(
            found,
            params,
            paging=LOGS_DESCRIBED,
            key=lambda one: (one[order], one["arn"]),
            is_ascending=not params.get("descending", False),
        )
        return {"logStreams": shown, "nextToken": following}

    def filter(self, call: Call) -> dict[str, Any]:
        """FilterLogEvents."""
        params = call.params
        matches = pattern_of(params.get("filterPattern", ""))
        names, start = params.get("logStreamNames"), params.get("logStreamNamePrefix", "")
        streams = [
            one
            for one in self._streams(self._function(call))
            if (names is None or one.name in names) and one.name.startswith(start)
        ]
        events = [
            event
            for stream in streams
            for event in stream.events()
            if _is_within(event, params) and matches(event["message"])
        ]
        shown, following = page(events, params, paging=LOGS, key=_key)
        found = [
            {**_event(one), "logStreamName": one["stream"], "eventId": _event_id(one)}
            for one in shown
        ]
        return {"events": found, "searchedLogStreams": [], "nextToken": following}

    def get(self, call: Call) -> dict[str, Any]:
        """GetLogEvents; at either end of a stream the token stays what it was."""
        params = call.params
        wanted, size = params["logStreamName"], params.get("limit", _EVENTS)
        function = self._function(call)
        named = [one for one in self._streams(function) if one.name == wanted]
        if not named:
            raise not_found("The specified log stream does not exist.")
        events = [one for one in named[0].events() if _is_within(one, params)]
        token = params.get("nextToken", "")
        at = decode_key(token[len(_FORWARD) :], paging=LOGS) if token else None
        if token.startswith(_BACKWARD):
            shown = [one for one in events if at is None or _key(one) < at][-size:]
        elif token or params.get("startFromHead", False):
            shown = [one for one in events if at is None or _key(one) > at][:size]
        else:
            shown = events[-size:]
        first, last = (shown[0], shown[-1]) if shown else (None, None)
        here = at or (0, "", 0)
        return {
            "events": [_event(one) for one in shown],
            "nextForwardToken": _FORWARD + encode_key(here if last is None else _key(last)),
            "nextBackwardToken": _BACKWARD + encode_key(here if first is None else _key(first)),
        }

    def delete_group(self, call: Call) -> dict[str, Any]:
        """DeleteLogGroup."""
        self._logs.remove(self._function(call))
        return {}

    def _groups(self, region: str) -> list[FunctionId]:
        graders = {one for one, _ in self._graded() if one.region == region}
        return sorted(graders.union(self._logs.groups(region)))

    def _streams(self, function: FunctionId) -> list[LogStream]:
        graded = [stream for one, stream in self._graded() if one == function]
        return sorted(
            [*graded, *self._logs.streams(function)], key=lambda one: (one.created_ms, one.name)
        )

    def _graded(self) -> Iterator[tuple[FunctionId, LogStream]]:
        """Yield a stream for each job that has called its grader, and the function that it was."""
        for job in (*self._jobs.list("bedrock"), *self._jobs.list("openai")):
            times = RunFolder(job.folder).grader_times
            if times.is_file():
                arn = DIALECTS[job.kind].grader_arn(job.request)
                function, version = find_function(arn, region=None)
                created = int(1000 * (job.started or job.created))
                container = job.id.replace("-", "")
                stream = LogStream(created, version or LATEST, container, times, read_graded)
                yield function, stream

    def _group(self, function: FunctionId) -> dict[str, Any]:
        streams = self._streams(function)
        return {
            "logGroupName": PREFIX + function.name,
            "arn": f"{_group_arn(function)}:*",
            "logGroupArn": _group_arn(function),
            "creationTime": streams[0].created_ms if streams else None,
            "storedBytes": sum(one.path.stat().st_size for one in streams),
            "metricFilterCount": 0,
            "logGroupClass": "STANDARD",
        }

    def _function(self, call: Call) -> FunctionId:
        given = call.params.get("logGroupName") or call.params.get("logGroupIdentifier", "")
        name = given.rpartition(_GROUP)[2].removesuffix(":*")
        for function in self._groups(call.region):
            if name == PREFIX + function.name:
                return function
        words = f"The specified log group does not exist: {name or 'none was named'}"
        raise not_found(f"{words}; a function's is {PREFIX}NAME once it was invoked")


def _group_arn(function: FunctionId) -> str:
    return f"arn:aws:logs:{function.region}:{ACCOUNT}{_GROUP}{PREFIX}{function.name}"


def _stream(stream: LogStream, function: FunctionId) -> dict[str, Any]:
    times = [event["timestamp"] for event in stream.events()]
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "firstEventTimestamp": min(times, default=None),
        "lastEventTimestamp": max(times, default=None),
        "lastIngestionTime": max(times, default=None),
        "arn": f"{_group_arn(function)}:log-stream:{stream.name}",
        "storedBytes": 0,  # as AWS answers since 2019
    }


def _key(event: dict[str, Any]) -> tuple[int, str, int]:
    return event["timestamp"], event["stream"], event["number"]


def _event(event: dict[str, Any]) -> dict[str, Any]:
    moment = event["timestamp"]
    return {"timestamp": moment, "message": event["message"], "ingestionTime": moment}


def _event_id(event: dict[str, Any]) -> str:
    """Return digits of a fixed length, as AWS does, that no other event has."""
    stream = int(hashlib.sha256(event["stream"].encode()).hexdigest()[:16], 16)
    return f"{event['timestamp']:020d}{stream:020d}{event['number']:016d}"


def _is_within(event: dict[str, Any], params: dict[str, Any]) -> bool:
    start, end = params.get("startTime", 0), params.get("endTime")
    return bool(start <= event["timestamp"] and (end is None or event["timestamp"] < end))


def pattern_of(text: str) -> Matches:
    """Return what a filter pattern keeps.

    Raises:
        AwsError: it is of a kind that is not simulated.
    """
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    at = len(text) - len(text.lstrip())
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            words = f"this kind of filter pattern is {NOT_SIMULATED}; give terms: {text[:80]!r}"
            raise AwsError("InvalidParameterException", words)
        quoted = term[2]
        terms[term[1]].append(term[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = term.end()

    def matches(message: str) -> bool:
        if not all(one in message for one in terms[""]):
            return False
        if terms["?"] and not any(one in message for one in terms["?"]):
            return False
        return not any(one in message for one in terms["-"])

    return matches
