"""Built-in word problems: a seeded, endless stand-in for a training file.

Makes GSM8K-style questions with worked answers. Does not grade and does not know any model.
"""

from __future__ import annotations

from bedrock_rft_sim.data.problems.families import FAMILIES, Family
from bedrock_rft_sim.data.problems.generate import Problem, ProblemSplit, generate, split_of
from bedrock_rft_sim.data.problems.records import to_record

__all__ = ["FAMILIES", "Family", "Problem", "ProblemSplit", "generate", "split_of", "to_record"]
