"""Where the event for a reward carries the reference answer: the one table of payload profiles.

It is disputed among AWS's own documents and samples, hence named profiles.
Sources: AWS Bedrock user guide, reward-functions (`metadata`); Amazon Nova guide,
nova-implementing-reward-functions, and most samples (`root`); `both` is this project's own.
"""

from __future__ import annotations

from typing import Final, Literal

PayloadProfile = Literal["metadata", "root", "both"]

PLACES: Final[dict[str, tuple[Literal["metadata", "root"], ...]]] = {
    "metadata": ("metadata",),
    "root": ("root",),
    "both": ("root", "metadata"),
}
"""The places of an event's sample that hold the reference and the record's other keys."""
PROFILES: Final = tuple(PLACES)
DEFAULT_PROFILE: Final[PayloadProfile] = "both"
