"""Show what a text hides: control characters, and marks that turn the reading direction.

Nothing is dropped, so that a reader sees what is really there; `curves.js` does the same.

Sources: Unicode, UAX #9 (bidirectional controls); Control Pictures block.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_PICTURES, _DELETE, _C1 = 0x2400, 0x7F, 0x20


def visible(text: object) -> str:
    """Return the text with every hidden character as a picture or as its number."""
    return _HIDDEN.sub(lambda found: _shown(ord(found[0])), str(text))


def _shown(code: int) -> str:
    if code < _C1:
        return chr(_PICTURES + code)
    return "\u2421" if code == _DELETE else f"[U+{code:04X}]"
