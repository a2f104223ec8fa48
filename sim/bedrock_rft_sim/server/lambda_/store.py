"""The functions: configuration, code, versions and aliases, on disk.

    functions/<name>@<region>/function.json    $LATEST, the versions, the aliases, the tags
    functions/.code/<sha256>/                  what a zip held; see
    `bedrock_rft_sim.server.lambda_.code`

A function's environment may hold secrets, so its file is for its owner alone.
Deliberately runs nothing; `bedrock_rft_sim.server.lambda_.runner` does.
Sources: AWS Lambda API reference.
"""

from __future__ import annotations

import copy
import datetime
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.files import dump, named_errors, read_json, replace_file
from bedrock_rft_sim.server.errors import AwsError, not_found
from bedrock_rft_sim.server.lambda_.code import CodeStore
from bedrock_rft_sim.server.lambda_.references import FunctionId, find_function
from bedrock_rft_sim.server.lambda_.runner import Deployed, EventQueue, FunctionRunner, KeepLog

LATEST: Final = "$LATEST"
_FILE: Final = "function.json"
_NOT_NOW: Final = "The operation cannot be performed at this time."
_AT: Final = "@"
"""Between name and Region in a folder's name; neither can hold it."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A function as one version or alias names it."""

    id: FunctionId
    version: str
    configuration: dict[str, Any]
    deployed: Deployed
    """How it runs; its ARN has the qualifier of the request, if any."""
    is_pending: bool
    """Whether it is still being created."""
    is_updating: bool
    """Whether a change of its code or settings is still under way."""

    def refuse_pending(self) -> None:
        """Refuse to use a function that is not there yet.

        Raises:
            AwsError: it is still being created.
        """
        if self.is_pending:
            words = "The function is currently in the following state: Pending"
            raise AwsError("ResourceConflictException", f"{_NOT_NOW} {words}")

    def refuse_busy(self) -> None:
        """Refuse to change a function while it is created or changed.

        Raises:
            AwsError: it is.
        """
        self.refuse_pending()
        if self.is_updating:
            words = f"An update is in progress for resource: {self.id.arn}"
            raise AwsError("ResourceConflictException", f"{_NOT_NOW} {words}")


class Functions:
    """Functions of all Regions."""

    def __init__(
        self,
        folder: Path,
        *,
        keep_log: KeepLog | None = None,
        access: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        """Read them; `keep_log` gets every invocation, handlers find AWS by `access`."""
        self._folder = folder
        self._changing = threading.Lock()
        """Held by whoever reads a record, changes it and keeps it; readers never wait for it."""
        self.code = CodeStore(folder / ".code")
        self.runner = FunctionRunner(keep_log, access)
        self.events = EventQueue(self.runner)
        # Replaced as a whole and never changed, so that readers need no lock.
        with named_errors(folder, "read the functions"):
            self._known = self._read()

    def close(self) -> None:
        """Kill what runs and run nothing any more."""
        self.events.close()
        self.runner.close()

    def ids(self, region: str) -> list[FunctionId]:
        """Return the functions of a Region, by name."""
        return sorted(one for one in self._known if one.region == region)

    def regions_with(self, name: str) -> list[str]:
        """Return the Regions that have a function of this name."""
        return sorted(one.region for one in self._known if one.name == name)

    def refuse_known(self, function: FunctionId) -> None:
        """Refuse to create a function that is there.

        Raises:
            AwsError: it is.
        """
        if function in self._known:
            words = f"Function already exist: {function.name}"
            raise AwsError("ResourceConflictException", words)

    def record(self, function: FunctionId) -> dict[str, Any]:
        """Return a copy of everything about a function.

        Raises:
            AwsError: there is none.
        """
        return copy.deepcopy(self._found(function))

    def add(self, function: FunctionId, record: dict[str, Any]) -> None:
        """Keep a new function; its name and Region have been checked.

        Raises:
            AwsError: another request has created it meanwhile.
        """
        with self._changing:
            self.refuse_known(function)
            self._save(function, record)

    @contextmanager
    def change(self, function: FunctionId) -> Iterator[dict[str, Any]]:
        """Give a copy of the record to change, alone, and keep it where the block ends well.

        Raises:
            AwsError: there is no such function.
        """
        with self._changing:
            record = self.record(function)
            yield record
            self._save(function, record)

    def remove(self, function: FunctionId) -> None:
        """Forget a function; code that a job may still use stays.

        Raises:
            AwsError: there is no such function.
        """
        with self._changing:
            self._found(function)
            folder = self._path(function).parent
            with named_errors(folder, "remove the function"):
                shutil.rmtree(folder)
            self._known = {one: record for one, record in self._known.items() if one != function}

    def resolve(
        self, reference: str, qualifier: str | None = None, *, region: str | None = None
    ) -> Resolved:
        """Return the version that a name, an ARN, a version or an alias means.

        `region` is that of the call; without one the reference must be an ARN.

        Raises:
            AwsError: there is no such function, version or alias.
        """
        function, own = find_function(reference, region=region)
        wanted = qualifier or own
        record = self._found(function)
        alias = record["aliases"].get(wanted)
        version = alias["FunctionVersion"] if alias else wanted or LATEST
        configuration = record["versions"].get(version)
        arn = function.arn + (f":{wanted}" if wanted else "")
        if configuration is None:
            raise not_found(f"Function not found: {arn}")
        deployed = Deployed(
            arn=arn,
            code=self.code.with_layers(
                configuration["codeFolder"], configuration.get("layerFolders", ())
            ),
            handler=configuration["Handler"],
            timeout_s=configuration["Timeout"],
            memory_mb=configuration["MemorySize"],
            environment=configuration.get("Environment", {}).get("Variables", {}),
            revision=configuration["RevisionId"],
        )
        moment = time.time()
        return Resolved(
            function,
            version,
            configuration,
            deployed,
            is_pending=moment < record.get("pendingUntil", 0),
            is_updating=moment < record.get("updatingUntil", 0),
        )

    def _found(self, function: FunctionId) -> dict[str, Any]:
        found = self._known.get(function)
        if found is None:
            raise not_found(f"Function not found: {function.arn}")
        return found

    def _path(self, function: FunctionId) -> Path:
        return self._folder / f"{function.name}{_AT}{function.region}" / _FILE

    def _save(self, function: FunctionId, record: dict[str, Any]) -> None:
        path = self._path(function)
        with named_errors(path, "write the function"):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            replace_file(path, dump(record, indent=2).encode(), mode=0o600)
        self._known = {**self._known, function: record}

    def _read(self) -> dict[FunctionId, dict[str, Any]]:
        found = {}
        for path in sorted(self._folder.glob(f"*{_AT}*/{_FILE}")):
            name, _, region = path.parent.name.partition(_AT)
            found[FunctionId(region, name)] = read_json(path)
        return found


def now() -> str:
    """Return the time as Lambda writes `LastModified`."""
    moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "+0000")


def revision() -> str:
    """Return a new `RevisionId`."""
    return str(uuid.uuid4())
