"""Inside the VMs of a cloud: the files on their disks and what they print, as their guests would write them."""

from __future__ import annotations

from omisim.actions.vm_diagnostics import CONSOLE_BYTES
from omisim.engine.engine import Engine
from omisim.model import Content, Volume

__all__ = ["Guests"]


class Guests(Engine):
    """The part of `Cloud` that stands in for what runs in its VMs."""

    def write(self, volume_id: str, path: str, text: str) -> None:
        """Write a file on a volume, as a guest would. Raises ValueError when there is no such volume, or no path."""
        if not isinstance(text, str):
            raise TypeError(f"a file is a text by its path, not {text!r}")
        if not isinstance(path, str) or not path:
            raise ValueError(f"a path is a text, for example /etc/motd; not {path!r}")
        with self._lock:
            content = self._content(volume_id)
            files = tuple(sorted((dict(content.files) | {path: text}).items()))
            self._tx("write").write("content", volume_id, Content(content.version + 1, files))

    def read(self, volume_id: str, path: str) -> str:
        """Return a file of a volume. Raises ValueError for an unknown volume, FileNotFoundError for an unknown path."""
        files = dict(self._content(volume_id).files)
        if path not in files:
            there = ", ".join(files) or "nothing"
            raise FileNotFoundError(f"there is no {path} on {volume_id}; there is {there}")
        return files[path]

    def write_console(self, vm_id: str, text: str) -> None:
        """Print on the console of a VM, as its guest would: ReadConsoleOutput answers the last 64 KiB of it (VM-056).

        Raises ValueError when there is no such VM.
        """
        with self._lock:
            if self._state.get("vm", vm_id) is None:
                raise ValueError(f"{vm_id!r} is no VM of this cloud")
            printed = self._state.get("console", vm_id) or ""
            self._tx("write").write("console", vm_id, (printed + text)[-CONSOLE_BYTES:])

    def _content(self, volume_id: str) -> Content:
        volume: Volume | None = self._state.get("volume", volume_id)
        if volume is None:
            raise ValueError(f"{volume_id!r} is no volume of this cloud")
        return self._state.get("content", volume_id) or Content()
