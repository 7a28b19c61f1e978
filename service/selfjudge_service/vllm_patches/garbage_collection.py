"""Ends the time without garbage collection that early.py begins, in processes that it was imported in."""

import gc
import sys


def imports_are_done() -> None:
    """Has garbage collected again, without looking at what is there already; does nothing in a process of others."""
    if "selfjudge_service.server.early" in sys.modules:
        gc.freeze()
        gc.enable()
