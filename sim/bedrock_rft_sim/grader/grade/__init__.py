"""Grade saved answers with any reward, compare rewards, and say what a run would have learned.

It trains nothing and samples nothing: answers come from a run folder, a JSONL or a CSV.
"""

from __future__ import annotations
