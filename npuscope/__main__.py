"""`python -m npuscope`: the command line."""

import sys

from npuscope.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
