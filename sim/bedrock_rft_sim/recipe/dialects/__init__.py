"""The two ways to ask Bedrock for RFT: boto3's keyword arguments and OpenAI's JSON body.

Deliberately checks and translates only; files, lines and `local:` belong to the recipe.
Sources: botocore's service model for Nova, the Bedrock user guide for the OpenAI-compatible API.
"""

from bedrock_rft_sim.contract.knobs import DialectName
from bedrock_rft_sim.recipe.dialects import bedrock, openai
from bedrock_rft_sim.recipe.dialects.dialect import Dialect, RecordShape, Refusal

DIALECTS: dict[DialectName, Dialect] = {"bedrock": bedrock, "openai": openai}

__all__ = ["DIALECTS", "Dialect", "DialectName", "RecordShape", "Refusal"]
