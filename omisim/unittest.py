"""Clouds for unittest: `CloudTestCase`, `CloudMixin` and the decorator `with_cloud`."""

from __future__ import annotations

from omisim.clients.unit import CloudMixin, CloudTestCase, with_cloud

__all__ = ["CloudMixin", "CloudTestCase", "with_cloud"]
