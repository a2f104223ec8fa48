"""The model process, `python -m sim.server.inference`: asks on stdin, answers on stdout."""

from sim.server.inference.worker import main

if __name__ == "__main__":
    main()
