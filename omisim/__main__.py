"""`python -m omisim`."""

from __future__ import annotations

import sys

from omisim.tools.cli import main

sys.exit(main())
