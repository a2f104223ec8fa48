"""What the HTML pages share: the template's surroundings, the style, the scripts and their policy.

A page is one file that makes no network requests. Texts from a run are escaped by the template; its
policy runs the scripts that came with it and nothing else. plotly.js comes from the installed
plotly package, whose Python is never imported. It travels compressed and is put into the page as it
was published, so that its hash names it.

Sources: W3C Content Security Policy Level 3 (hash sources match inline scripts however inserted).
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bedrock_rft_sim.report.visible import visible

BREAKERS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def render(
    room: str,
    template: str,
    context: Mapping[str, Any],
    *,
    filters: Mapping[str, Callable[..., str]] | None = None,
) -> str:
    """Return a room's template filled in; `css` and the filter `visible` are always there."""
    environment = _environment(room)
    environment.filters.update(filters or {}, visible=visible)
    html = environment.get_template(template).render({**context, "css": trusted(own("page.css"))})
    return html.encode("utf-8", "replace").decode()  # half a surrogate pair has no UTF-8


@functools.cache
def _environment(room: str) -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(f"bedrock_rft_sim.{room}", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def scripted(script: str, data: Any, *, live: bool = False) -> dict[str, Any]:
    """Return what a template needs to run a script on its data, with plotly.js where it is."""
    return {
        "js": trusted(script),
        "data": trusted(embedded_json(data)),
        "plotly": (plotly() or ("",))[0],
        "policy": policy(script, live=live),
    }


def trusted(text: str) -> Any:
    """Mark as not to be escaped: our own files, our own drawing, JSON that escaped itself."""
    import markupsafe

    return markupsafe.Markup(text)  # noqa: S704


def own(name: str, *, room: str = "report") -> str:
    """Return one of a room's files."""
    return files(f"bedrock_rft_sim.{room}").joinpath(name).read_text(encoding="utf-8")


def run_script() -> str:
    """Return the script of a run's page."""
    return own("curves.js") + own("page.js")


@functools.cache
def plotly() -> tuple[str, str] | None:
    """Return plotly.js as gzip and base64, and the hash of its text; None if not installed."""
    found = find_spec("plotly")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            text = path.read_bytes()
            packed = base64.b64encode(gzip.compress(text, compresslevel=6, mtime=0)).decode()
            return packed, _hash(text)
    return None


def policy(script: str, *, live: bool = False) -> str:
    """Return a page's Content Security Policy: its scripts, its own styles, no request.

    A `live` page may ask the server that it came from.
    """
    library = plotly()
    hashes = [_hash(script.encode()), *([library[1]] if library else [])]
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
