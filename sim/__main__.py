"""`python -m sim` is `rft`."""

import sys

from sim.cli import main

sys.exit(main())
