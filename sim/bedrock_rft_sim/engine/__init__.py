"""Load a model and sample answers from it, whoever needs them.

With `bedrock_rft_sim.train` the only room that imports torch.
"""
