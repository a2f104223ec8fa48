"""To the real AWS: what a reward needs to become a Lambda function that Bedrock may call.

It calls no AWS service: it makes files and prints the commands that a person may run.
"""

from __future__ import annotations
