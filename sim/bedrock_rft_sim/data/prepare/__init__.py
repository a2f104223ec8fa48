"""Turn raw data into RFT files, row by row: every file written says how it was made.

An operation reads with `bedrock_rft_sim.data.prepare.rows.read` and writes through
`bedrock_rft_sim.data.prepare.output.DataOutput`; it holds no file in memory, and the same rows with
the same seed give the same bytes. Not here: the rules that a finished file must keep
(`bedrock_rft_sim.data.rules`).
"""
