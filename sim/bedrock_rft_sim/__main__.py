"""`python -m bedrock_rft_sim` is `rft`."""

import sys

from bedrock_rft_sim.cli import main

sys.exit(main())
