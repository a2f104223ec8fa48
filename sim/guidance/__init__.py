"""The published starting points, held against a recipe and against what was seen of it locally.

It changes nothing and fails nothing: each remark names its source, and where AWS's own documents
disagree it names both.
"""

from sim.guidance.evidence import Evidence, read_evidence
from sim.guidance.remark import Remark
from sim.guidance.remarks import remarks

__all__ = ["Evidence", "Remark", "read_evidence", "remarks"]
