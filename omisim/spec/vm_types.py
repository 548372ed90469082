"""VM types: the TINA grammar, the named types, and their shapes."""

from __future__ import annotations

import re
from functools import lru_cache

from omisim.base.frozen import frozen
from omisim.spec.catalog import load_catalog

__all__ = ["MAX_CORES", "MAX_MEMORY", "PERFORMANCES", "VmShape", "find_vm_shape", "get_vm_shape", "strip_flag"]

PERFORMANCES = ("highest", "high", "medium")  # flags p1, p2, p3
MAX_CORES, MAX_MEMORY = 78, 1039  # a choice, not a source (VMT-008)
MAX_NAME = 64  # letters of a name that is looked up: the cache keeps no megabytes
_TINA = re.compile(r"tinav([1-7])\.c([1-9][0-9]{0,3})r([1-9][0-9]{0,3})(?:p([1-3]))?")


@frozen()
class VmShape:
    """The shape of a VM type. `memory` is in GiB. `flagged` is whether the name contains the performance."""

    name: str
    vcores: int
    memory: float
    generation: int
    performance: str
    flagged: bool


def find_vm_shape(name: str) -> VmShape | None:
    """Return the shape of a VM type, or None for an unknown type (VMT-001, VMT-002, VMT-005)."""
    return _find_vm_shape(name) if len(name) <= MAX_NAME else None


@lru_cache(maxsize=1024)
def _find_vm_shape(name: str) -> VmShape | None:
    tina = _TINA.fullmatch(name)
    if tina:
        generation, cores, memory = (int(part) for part in tina.groups()[:3])
        flag = tina[4]
        if cores > MAX_CORES or memory > MAX_MEMORY:
            return None
        return VmShape(name, cores, float(memory), generation, PERFORMANCES[int(flag or 2) - 1], flag is not None)
    catalog = load_catalog()
    if name not in catalog.vm_shapes:
        return None
    vcores, size = catalog.vm_shapes[name]
    generation, flag_number = catalog.families[name.rpartition(".")[0]]
    return VmShape(name, vcores, size, generation, PERFORMANCES[flag_number - 1], flagged=True)


def strip_flag(name: str) -> str:
    """Return a TINA type without its performance flag, or another name unchanged."""
    tina = _TINA.fullmatch(name)
    return name[:-2] if tina and tina[4] else name


def get_vm_shape(name: str) -> VmShape:
    """Return the shape of the type of an existing VM."""
    shape = find_vm_shape(name)
    assert shape is not None, name
    return shape
