"""To the real AWS and back: a reward as a Lambda function, a recipe as a job, a job as a run.

Whatever changes something on AWS is written down before it is asked for; nothing is changed that
was not made here, unless the user says so.
"""

from __future__ import annotations
