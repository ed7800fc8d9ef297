"""`npuscope` and `python -m npuscope`: the command line, quiet when it is interrupted."""

import sys

INTERRUPTED = 130
"""As `npuscope.cli.interrupts` has it, which may not have been imported yet."""


def run() -> int:
    """Run the process's command line; returns the exit status."""
    try:
        from npuscope.cli import interrupts

        interrupts.quiet_imports()
        from npuscope.cli.main import main

        try:
            return main()
        finally:
            interrupts.at_once()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run())
