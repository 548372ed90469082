"""Measure what a call costs beside more and more resources, omisim beside moto, and draw it as SVG.

Both are called in Python, without a client: a client's share would hide what grows. moto stops where a cell would take
minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from moto.ec2.models import ec2_backends

from benchmarks.goal import cpu
from omisim import Cloud

__all__ = ["SIZES", "draw", "measure_sizes"]

SIZES = (10, 100, 1_000, 10_000, 100_000)
MOTO_SIZE = 10_000  # the largest number of volumes that moto is measured with
CALLS = 5
WIDTH, HEIGHT, MARGIN = 640, 360, 60
COLOURS = ("#1f6f8b", "#7fb069", "#b5443c", "#e0a458")
Curves = Mapping[str, list[tuple[int, float]]]


def measure_sizes(sizes: tuple[int, ...] = SIZES) -> Curves:
    """Return the microseconds of each call by the number of volumes."""
    curves: dict[str, list[tuple[int, float]]] = {}
    alice = Cloud(history=1).account("alice")
    backend = ec2_backends["123456789012"]["eu-west-1"]
    create_theirs = partial(backend.create_volume, size=1, zone_name="eu-west-1a")
    ours = [alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id]
    theirs = [create_theirs().id]
    for size in sizes:
        while len(ours) < size:
            ours.append(alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id)
        reads: dict[str, Callable[[], object]] = {
            "omisim: read one by id": lambda: alice.read_volumes(filters={"volume_ids": [ours[0]]}),
            "omisim: read by state, none matches": lambda: alice.read_volumes(filters={"volume_states": ["error"]}),
        }
        if size <= MOTO_SIZE:
            while len(theirs) < size:
                theirs.append(create_theirs().id)
            reads["moto: read one by id"] = lambda: backend.describe_volumes(volume_ids=[theirs[0]])
            reads["moto: read by state, none matches"] = lambda: backend.describe_volumes(filters={"status": ["error"]})
        for name, read in reads.items():
            read()
            microseconds = min(cpu(read, CALLS)() for _ in range(3)) * 1e6
            curves.setdefault(name, []).append((size, microseconds))
    return curves


def draw(curves: Curves) -> str:
    """Return the curves as SVG, with logarithmic axes."""
    points = [point for curve in curves.values() for point in curve]
    bottom, top = (math.floor(math.log10(min(y for _, y in points))), math.ceil(math.log10(max(y for _, y in points))))
    last = math.log10(max(x for x, _ in points))

    def place(size: float, cost: float) -> tuple[float, float]:
        x = MARGIN + (math.log10(size) - 1) / (last - 1) * (WIDTH - 2 * MARGIN)
        return x, HEIGHT - MARGIN - (math.log10(cost) - bottom) / (top - bottom) * (HEIGHT - 2 * MARGIN)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 20 * len(curves)}" role="img">',
        "<title>Microseconds of a call by the number of volumes</title>",
        "<style>text{font:12px sans-serif;fill:#444}path{fill:none;stroke-width:2}.grid{stroke:#ddd}</style>",
    ]
    for power in range(bottom, top + 1):
        x, y = place(10, 10**power)
        lines.append(f'<path class="grid" d="M{x:.0f} {y:.0f}H{WIDTH - MARGIN}"/>')
        lines.append(f'<text x="{x - 6:.0f}" y="{y + 4:.0f}" text-anchor="end">{10**power:,g} µs</text>')
    for size in sorted({x for x, _ in points}):
        x, _ = place(size, 10**bottom)
        lines.append(f'<text x="{x:.0f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{size:,}</text>')
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(f"{x:.0f} {y:.0f}" for x, y in (place(*point) for point in curve))
        row = HEIGHT + 20 * number
        lines.append(f'<path stroke="{colour}" d="M{path}"/>')
        lines.append(
            f'<path stroke="{colour}" d="M{MARGIN} {row - 4}h24"/><text x="{MARGIN + 32}" y="{row}">{name}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])
