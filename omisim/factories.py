"""Make valid entities, and the API's JSON for them, without a cloud."""

from __future__ import annotations

from omisim.testing.factories import image, image_export_task, keypair, snapshot, snapshot_export_task, vm, volume, wire

__all__ = ["image", "image_export_task", "keypair", "snapshot", "snapshot_export_task", "vm", "volume", "wire"]
