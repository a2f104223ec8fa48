"""bedrock-mantle: the operations of Bedrock that are shaped like OpenAI's."""
