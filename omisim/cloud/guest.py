"""What the guest of a VM writes: text files on its volumes, and its console."""

from __future__ import annotations

from omisim.actions.vm_diagnostics import CONSOLE_BYTES
from omisim.base.texts import check_encodable
from omisim.model import Content, Volume
from omisim.model.ids import check_id
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = ["read_file", "write_console", "write_file"]


def write_file(tx: Transaction, volume_id: str, path: str, text: str) -> None:
    """Write a file on a volume. Raises ValueError for an unknown volume or an empty path, and TypeError for no text."""
    _check_text(text)
    if not isinstance(path, str) or not path:
        raise ValueError(f"path must be a non-empty str, for example '/etc/motd', not {path!r}")
    check_encodable("path", path)
    content = _get_content(tx.state, volume_id)
    files = tuple(sorted((dict(content.files) | {path: text}).items()))
    tx.write("content", volume_id, Content(content.version + 1, files))


def read_file(state: State, volume_id: str, path: str) -> str:
    """Return the text of a file. Raises ValueError for an unknown volume, and FileNotFoundError for an unknown path."""
    files = dict(_get_content(state, volume_id).files)
    if path not in files:
        raise FileNotFoundError(f"{volume_id} has no file {path}; its files: {', '.join(files) or 'none'}")
    return files[path]


def write_console(tx: Transaction, vm_id: str, text: str) -> None:
    """Append text to the console of a VM, which keeps the last part. Raises ValueError for an unknown VM."""
    check_id("vm_id", vm_id)
    _check_text(text)
    if tx.state.get("vm", vm_id) is None:
        raise ValueError(f"{vm_id!r} is not a VM of this cloud")
    console = tx.state.get("console", vm_id) or ""
    tx.write("console", vm_id, (console + text)[-CONSOLE_BYTES:])


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {text!r}")
    check_encodable("text", text)


def _get_content(state: State, volume_id: str) -> Content:
    check_id("volume_id", volume_id)
    volume: Volume | None = state.get("volume", volume_id)
    if volume is None:
        raise ValueError(f"{volume_id!r} is not a volume of this cloud")
    return state.get("content", volume_id) or Content()
