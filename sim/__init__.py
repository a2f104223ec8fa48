"""The dress rehearsal for Amazon Bedrock reinforcement fine-tuning.

Importing this package imports no machine-learning library; the rooms `sim.train` and `sim.engine`
do so inside the functions that need them.
"""

__version__ = "0.1.0"
