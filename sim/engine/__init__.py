"""Load a model and produce answers from it; with `sim.train` the only room that imports torch."""
