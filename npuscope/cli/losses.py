"""The least that outputs are to keep, as a command line says it, and what its edits leave them."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.services.loss import Loss
    from npuscope.session import Session


def least_option(parser: argparse.ArgumentParser, text: str, default: str = "25") -> None:
    """--least-db; None where it is not given."""
    parser.add_argument("--least-db", type=_least, metavar="N", help=f"{text} (default {default})")


def _least(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 200:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number of dB from 0 to 200")
    return value


def loss_of(options: argparse.Namespace, session: Session, least: float | None = None) -> Loss | None:
    """What the edits of a session do to the numbers, on the samples the options ask for.

    `least` is the bound where the options give none, by default that of plans. Raises ModelError.
    """
    from npuscope.numbers.differences import LEAST_DECIBELS
    from npuscope.services.apply import Calibration
    from npuscope.services.loss import loss_of as measured

    calibration = Calibration(options.inputs, options.samples, options.seed)
    asked = options.least_db is not None
    bound = options.least_db if asked else least
    return measured(session, calibration, LEAST_DECIBELS if bound is None else bound, asked=asked)
