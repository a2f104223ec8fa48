"""The outside world's names as data: limits, statuses, metrics, defaults, the ledger, job events.

Deliberately holds no behaviour beyond looking things up and building plain data, and nothing that
no source states without saying so.
Sources: the documents named in `bedrock_rft_sim.contract.sources`.
"""
