"""The model process, `python -m bedrock_rft_sim.server.inference`: asks on stdin, answers on
stdout."""

from bedrock_rft_sim.server.inference.worker import main

if __name__ == "__main__":
    main()
