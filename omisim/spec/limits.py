"""The valid values of volumes (VOL-004 to VOL-009), devices (OMI-053) and tenancies (VM-017, NET-005)."""

from __future__ import annotations

import re

ROOT = "/dev/sda1"
DATA_DEVICE = re.compile(r"/dev/(sd|xvd)[b-z][a-z]?")  # OMI-053
MIN_SIZE, MIN_IO1_SIZE, MAX_SIZE = 1, 4, 14_901  # GiB
MIN_IOPS, MAX_IOPS, IOPS_PER_GIB = 100, 13_000, 300
VOLUME_TYPES = ("standard", "gp2", "io1")
TENANCY = re.compile("default|dedicated|ded-.*", re.DOTALL)  # "ded-" begins the id of a dedicated group
