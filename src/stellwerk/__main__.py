"""`python -m stellwerk`."""

from __future__ import annotations

import sys

from stellwerk.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
