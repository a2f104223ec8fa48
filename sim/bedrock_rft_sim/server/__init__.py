"""The local endpoint: APIs for boto3 and the OpenAI SDK, with real training behind them.

It verifies no signature, simulates the operations RFT needs and no others, and trains nothing
itself: a job is a child process, and so is the model that answers.
"""
