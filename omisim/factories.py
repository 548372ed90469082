"""Public path of the factories: entities, and the JSON the API answers for them, without a cloud."""

from __future__ import annotations

from omisim.testing.factories import image, image_export_task, keypair, snapshot, snapshot_export_task, vm, volume, wire

__all__ = ["image", "image_export_task", "keypair", "snapshot", "snapshot_export_task", "vm", "volume", "wire"]
