"""VM types: the TINA grammar, the AWS names, and what they come to (domain 6.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from omisim.spec.catalog import load_catalog

__all__ = ["PERFORMANCES", "VmShape", "find_vm_shape", "get_vm_shape", "strip_flag"]

PERFORMANCES = ("highest", "high", "medium")  # flags p1, p2, p3
MAX_CORES, MAX_MEMORY = 78, 1039  # a choice, not a source (VMT-008)
_TINA = re.compile(r"tinav([1-7])\.c([1-9][0-9]{0,3})r([1-9][0-9]{0,3})(?:p([1-3]))?")


@dataclass(frozen=True, slots=True)
class VmShape:
    """What a VM type comes to: cores, memory in GiB, TINA generation, performance; `flagged`: the name says it."""

    name: str
    vcores: int
    memory: float
    generation: int
    performance: str
    flagged: bool


@lru_cache(maxsize=1024)
def find_vm_shape(name: str) -> VmShape | None:
    """Return what a VM type comes to, or None when there is no such type (VMT-001, VMT-002, VMT-005)."""
    tina = _TINA.fullmatch(name)
    if tina:
        generation, cores, memory = (int(part) for part in tina.groups()[:3])
        flag = tina[4]
        if cores > MAX_CORES or memory > MAX_MEMORY:
            return None
        return VmShape(name, cores, float(memory), generation, PERFORMANCES[int(flag or 2) - 1], flag is not None)
    known = load_catalog().vm_types.get(name)
    if known is None:
        return None
    generation, flag_number = load_catalog().aws_families[name.partition(".")[0]]
    performance = PERFORMANCES[flag_number - 1]
    return VmShape(name, known.vcore_count, known.memory_size, generation, performance, flagged=True)


def strip_flag(name: str) -> str:
    """Return a TINA type without its flag, which says no more than the performance; an AWS name as it is."""
    tina = _TINA.fullmatch(name)
    return name[:-2] if tina and tina[4] else name


def get_vm_shape(name: str) -> VmShape:
    """Return what the type of a VM that exists comes to."""
    found = find_vm_shape(name)
    assert found is not None, name
    return found
