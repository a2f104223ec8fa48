"""Jobs: a job is a run folder with a child process, remembered in one SQLite file."""

from bedrock_rft_sim.jobs.job import BedrockDetails, Job, OpenAIDetails, UnknownJobError
from bedrock_rft_sim.jobs.jobs import Jobs, rehearsal_command
from bedrock_rft_sim.jobs.progress import warnings_of
from bedrock_rft_sim.jobs.worker import Start

__all__ = [
    "BedrockDetails",
    "Job",
    "Jobs",
    "OpenAIDetails",
    "Start",
    "UnknownJobError",
    "rehearsal_command",
    "warnings_of",
]
