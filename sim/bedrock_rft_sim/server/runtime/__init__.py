"""bedrock-runtime: ask base and tuned models."""
