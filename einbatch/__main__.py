"""`python -m einbatch`."""

import sys

from einbatch.cli.main import main

sys.exit(main())
