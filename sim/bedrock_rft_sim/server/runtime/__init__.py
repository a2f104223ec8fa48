"""bedrock-runtime: answers of base and tuned models."""
