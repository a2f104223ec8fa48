"""The published starting points, held against a recipe and against what was seen of it locally.

It changes nothing and fails nothing: each remark names its source, and where AWS's own documents
disagree it names both.
"""

from bedrock_rft_sim.diagnosis.guidance.evidence import Evidence, read_evidence
from bedrock_rft_sim.diagnosis.guidance.remark import Remark
from bedrock_rft_sim.diagnosis.guidance.remarks import remarks

__all__ = ["Evidence", "Remark", "read_evidence", "remarks"]
