"""Bedrock's control plane: the operations that a reinforcement fine-tuning job needs."""
