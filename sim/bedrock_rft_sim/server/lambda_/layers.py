"""The layers: zips whose Python packages a function finds beside its own code.

    layers/<name>@<region>.json    the versions, and the number of the next one

What a layer holds for other languages, and its files under /opt, are not offered to a function.
A layer of another account can't be had: it is kept in the function's configuration, and what the
function would import from it is missing.
Source: AWS Lambda developer guide, "Working with layers for Python".
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.files import dump, make_folder, read_json, write_file
from bedrock_rft_sim.server.bedrock.names import ACCOUNT
from bedrock_rft_sim.server.errors import invalid_parameter

_REFERENCE: Final = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:)?"
    r"([A-Za-z0-9_-]{1,140})(?::(\d{1,9}))?"
)
_AT: Final = "@"
Version = dict[str, Any]


@dataclass(frozen=True, order=True, slots=True)
class LayerId:
    """One layer."""

    region: str
    name: str
    account: str = ACCOUNT

    @property
    def arn(self) -> str:
        """Its ARN, without a version."""
        return f"arn:aws:lambda:{self.region}:{self.account}:layer:{self.name}"


def find_layer(reference: str, *, region: str) -> tuple[LayerId, str | None]:
    """Return the layer that a name or ARN means, whether or not there is one, and its version.

    Raises:
        AwsError: it is neither.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise invalid_parameter(f"{reference[:200]!r} is neither a layer's name nor its ARN")
    return LayerId(match[1] or region, match[3], match[2] or ACCOUNT), match[4]


class Layers:
    """Layers of all Regions, each with its versions by number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.Lock()
        make_folder(folder)

    def of_region(self, region: str) -> list[LayerId]:
        """Return the layers of a Region."""
        paths = self._folder.glob(f"*{_AT}{region}.json")
        return sorted(LayerId(region, path.stem.partition(_AT)[0]) for path in paths)

    def versions(self, layer: LayerId) -> dict[str, Version]:
        """Return a layer's versions by number; none where there is no layer."""
        if layer.account != ACCOUNT:
            return {}
        versions: dict[str, Version] = self._record(layer)["versions"]
        return versions

    def add(self, layer: LayerId, version: Version) -> Version:
        """Keep a new version; return it with its number."""
        with self._changing:
            record = self._record(layer)
            version = {**version, "Version": record["next"]}
            record["versions"][str(record["next"])] = version
            self._save(layer, {**record, "next": record["next"] + 1})
        return version

    def remove(self, layer: LayerId, version: str) -> None:
        """Forget a version; functions that have it keep it."""
        with self._changing:
            record = self._record(layer)
            if record["versions"].pop(version, None):
                self._save(layer, record)

    def resolved(self, arns: Sequence[str], *, region: str) -> dict[str, Any]:
        """Return what a function's configuration says of its layers.

        Raises:
            AwsError: there is no such version in this account.
        """
        shown, folders = [], []
        for arn in arns:
            layer, number = find_layer(arn, region=region)
            version = self.versions(layer).get(number or "")
            if version is None and layer.account == ACCOUNT:
                raise invalid_parameter(f"Layer version {arn} does not exist.")
            if version is not None:
                folders.append(version["codeFolder"])
            shown.append({"Arn": arn, "CodeSize": version and version["CodeSize"]})
        return {"Layers": shown, "layerFolders": folders}

    def _record(self, layer: LayerId) -> dict[str, Any]:
        path = self._path(layer)
        return read_json(path) if path.exists() else {"next": 1, "versions": {}}

    def _save(self, layer: LayerId, record: dict[str, Any]) -> None:
        write_file(self._path(layer), dump(record, indent=2), "write the layer")

    def _path(self, layer: LayerId) -> Path:
        return self._folder / f"{layer.name}{_AT}{layer.region}.json"
