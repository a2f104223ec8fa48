"""Is this task learnable by this model? Sample it a few times per prompt, grade, and say.

Sources: Amazon Nova customization guide (sample the base model first); named beside each number.
"""

from sim.probe.endpoint import Endpoint, check_url
from sim.probe.filtered import manifest_path, write_filtered
from sim.probe.intervals import Estimate
from sim.probe.report import FAULT_SHARE_MAX, ProbeReport
from sim.probe.run import PROMPTS, SAMPLES, ProbePlan, plan_probe, probe, samples_path

__all__ = [
    "FAULT_SHARE_MAX",
    "PROMPTS",
    "SAMPLES",
    "Endpoint",
    "Estimate",
    "ProbePlan",
    "ProbeReport",
    "check_url",
    "manifest_path",
    "plan_probe",
    "probe",
    "samples_path",
    "write_filtered",
]
