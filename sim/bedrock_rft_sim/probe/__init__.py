"""Is this task learnable by this model? Sample it a few times per prompt, grade, and say.

Sources: Amazon Nova customization guide (sample the base model first); named beside each number.
"""

from bedrock_rft_sim.probe.address import check_url
from bedrock_rft_sim.probe.endpoint import Endpoint
from bedrock_rft_sim.probe.filtered import Filtered, check_target, write_filtered
from bedrock_rft_sim.probe.intervals import Estimate, Share
from bedrock_rft_sim.probe.report import FAULT_SHARE_MAX, ProbeReport
from bedrock_rft_sim.probe.run import (
    PROMPTS,
    SAMPLES,
    ProbePlan,
    default_name,
    plan_probe,
    probe,
    samples_path,
    save_record,
)

__all__ = [
    "FAULT_SHARE_MAX",
    "PROMPTS",
    "SAMPLES",
    "Endpoint",
    "Estimate",
    "Filtered",
    "ProbePlan",
    "ProbeReport",
    "Share",
    "check_target",
    "check_url",
    "default_name",
    "plan_probe",
    "probe",
    "samples_path",
    "save_record",
    "write_filtered",
]
