"""Load a model and produce answers from it; with `bedrock_rft_sim.train` the only room that imports
torch."""
