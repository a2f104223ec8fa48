"""Makes the README of a package index out of README.md: no link in it leads nowhere.

A package index shows the README away from the repository. With `RFT_SOURCE_URL`, the address under
which the repository's files are shown (`https://HOST/OWNER/NAME/blob/TAG`), links and pictures lead
there, pictures to the same address with `raw` for `blob`. Without it links become their words and
pictures their captions.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

SOURCE = "RFT_SOURCE_URL"
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Fills in `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the README's text."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        shown = away_from_the_repository(text, os.environ.get(SOURCE))
        metadata["readme"] = {"content-type": "text/markdown", "text": shown}


def away_from_the_repository(text: str, source: str | None) -> str:
    """Return the README with absolute links, or without links where no address is known."""

    def shown(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        if not source:
            return f"*{words}*" if mark else words
        base = source.rstrip("/")
        return f"{mark}[{words}]({base.replace('/blob/', '/raw/') if mark else base}/{target})"

    return LINK.sub(shown, text)
