"""Statistics, each once: Student's t, shares, ranks, percentiles, permutations and the bootstrap.

It knows no run, metric or file. A number that can't be known is None, never 0; where an array
holds many at once, those are NaN. SciPy is imported inside functions, since that takes 0.3 s.
"""

from __future__ import annotations
