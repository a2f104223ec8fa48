"""What the page runs, and the policy that lets it run nothing else.

plotly.js comes from the installed plotly package, whose Python is never imported. It travels
compressed and is put into the page as it was published, so that its hash names it.

Sources: W3C Content Security Policy Level 3 (hash sources match inline scripts however inserted).
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BREAKERS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def own(name: str) -> str:
    """Return one of this room's files."""
    return files("bedrock_rft_sim.report").joinpath(name).read_text(encoding="utf-8")


def of_run_page() -> str:
    """Return the script of a run's page."""
    return own("curves.js") + own("page.js")


@functools.cache
def plotly() -> tuple[str, str] | None:
    """Return plotly.js as gzip and base64, and the hash of its text; None if not installed."""
    path = _plotly_path()
    if path is None:
        return None
    text = path.read_bytes()
    packed = base64.b64encode(gzip.compress(text, compresslevel=6, mtime=0)).decode()
    return packed, _hash(text)


def _plotly_path() -> Path | None:
    found = find_spec("plotly")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            return path
    return None


def policy(*, live: bool) -> str:
    """Return the page's Content Security Policy: its scripts, its own styles, no request."""
    library = plotly()
    hashes = [_hash(of_run_page().encode()), *([library[1]] if library else [])]
    scripts = " ".join(f"'{each}'" for each in hashes)
    connect = "'self'" if live else "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text).digest()).decode()


def embedded_json(value: Any) -> str:
    """Return JSON that can't end the script element it stands in, whatever texts it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character, escape in BREAKERS.items():
        text = text.replace(character, escape)
    return text
