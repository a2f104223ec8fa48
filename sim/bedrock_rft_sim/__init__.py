"""The dress rehearsal for Amazon Bedrock reinforcement fine-tuning.

Importing this package imports no machine-learning library; the rooms `bedrock_rft_sim.train` and
`bedrock_rft_sim.engine` do so inside the functions that need them.
"""

__version__ = "0.1.0"
