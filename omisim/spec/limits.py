"""What a volume can be (VOL-004 to VOL-009), whether a request or a manifest describes it."""

from __future__ import annotations

import re

__all__ = [
    "DATA_DEVICE",
    "FEWEST_IOPS",
    "IOPS_PER_GIB",
    "LARGEST",
    "MOST_IOPS",
    "ROOT",
    "SMALLEST",
    "SMALLEST_IO1",
    "VOLUME_TYPES",
]

ROOT = "/dev/sda1"
DATA_DEVICE = re.compile(r"/dev/(sd|xvd)[b-z][a-z]?")  # OMI-053
SMALLEST, SMALLEST_IO1, LARGEST = 1, 4, 14_901  # GiB
FEWEST_IOPS, MOST_IOPS, IOPS_PER_GIB = 100, 13_000, 300
VOLUME_TYPES = ("standard", "gp2", "io1")
