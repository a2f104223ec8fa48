"""Reward Lambdas, one deployable file each; standard library only, never importing `sim`."""
