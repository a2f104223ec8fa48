"""A reward as the zip that Lambda takes: the same bytes from the same files, every time.

Guaranteed on every machine and every Python: entries sorted by name, the date 1980-01-01, Unix
permissions 0644 (0755 where the file may be executed), and no compression, because two builds of
zlib may compress the same file to different bytes.
It installs nothing: packages that a reward needs must lie in its folder.

Sources: AWS Lambda developer guide, "Working with .zip file archives" and quotas (50 MB zipped for
a direct upload, 250 MB unzipped).
"""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bedrock_rft_sim.errors import PackageError
from bedrock_rft_sim.files import real
from bedrock_rft_sim.grader.package import Member, collect, handler_name, reading, too_large

ZIPPED_BYTES_MAX = 50 * 1024 * 1024
"""Of a direct upload; larger packages go through S3."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold."""
UNIX = 3


@dataclass(frozen=True)
class Archive:
    """The zip in memory, and what is in it."""

    content: bytes
    handler: str
    """`module.function`, as Lambda wants it."""
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    """Caches and version control, relative to the folder; a folder ends in a slash."""
    unzipped_bytes: int

    @property
    def code_sha256(self) -> str:
        """Its hash as Lambda writes it."""
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()


def pack(reward: Path, *, handler: str, out: Path) -> Archive:
    """Return the zip of a .py file or a folder; `out`, where it will lie, is never packed itself.

    Raises:
        PackageError: a file can't go into the zip, or the zip is over one of Lambda's quotas.
        HandlerError: there is no reward.
    """
    reward = reward.resolve()
    if reward.suffix == ".zip" and reward.is_file():
        raise PackageError(
            "the reward is a zip already",
            where=str(reward),
            expected="a .py file or a folder",
            hint="unzip it and give the folder, so that the same bytes come out every time",
        )
    members, left_out = collect(reward, out=real(out))
    top = [Path(member.name) for member in members]
    modules = [path.stem for path in top if path.suffix == ".py" and len(path.parts) == 1]
    entry = handler_name(reward, handler, modules=modules)
    _refuse_over_quota(members, reward)
    return Archive(
        content=_zipped(members),
        handler=entry,
        names=tuple(member.name for member in members),
        left_out=tuple(left_out),
        unzipped_bytes=sum(member.size for member in members),
    )


def _refuse_over_quota(members: list[Member], reward: Path) -> None:
    # Beside its content an entry costs its header, and its line in the directory.
    zipped = sum(member.size + 30 + 46 + 2 * len(member.name.encode()) for member in members)
    if zipped > ZIPPED_BYTES_MAX:
        raise too_large(reward, zipped, ZIPPED_BYTES_MAX, "as a zip, for a direct upload")


def _zipped(members: list[Member]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as opened:
        for member in members:
            entry = zipfile.ZipInfo(member.name, date_time=EPOCH)
            entry.create_system = UNIX
            permissions = 0o755 if member.executable else 0o644
            entry.external_attr = (stat.S_IFREG | permissions) << 16
            with reading(member.source):
                content = member.source.read_bytes()
            opened.writestr(entry, content)
    return buffer.getvalue()
