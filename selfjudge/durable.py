"""Files that survive a power cut."""

import os
from pathlib import Path


def force_to_disk(path: Path) -> None:
    """Have the disk hold what a file or a folder is now, whatever happens to the machine."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
