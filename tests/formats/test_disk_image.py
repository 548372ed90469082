"""Disk images: what we write is what others read, and what is broken is refused."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim.formats.disk_image import GIB, BadImage, decode, encode, to_bytes
from omisim.model import Content

CONTENT = Content(3, (("/etc/motd", "hello"),))
QEMU = shutil.which("qemu-img")
contents = st.builds(
    Content,
    st.integers(1, 9),
    st.dictionaries(st.text(max_size=9), st.text(max_size=40), max_size=4).map(lambda d: tuple(sorted(d.items()))),
)


@given(contents, st.integers(1, 14_901), st.sampled_from(["qcow2", "raw"]))
def test_disk_image_survives_a_round_trip(content: Content, size: int, form: str) -> None:
    """Any content on a disk of any size comes back from its image. [EXP-045]"""
    virtual, decoded = decode(encode(content, size, form), form)
    assert decoded == content
    assert virtual == size * GIB if form == "qcow2" else virtual < GIB


def test_disk_image_header_has_the_size() -> None:
    """The first bytes are those of qcow2, version 3, and the virtual size is the disk's. [EXP-045]"""
    image = gzip.decompress(encode(CONTENT, 100, "qcow2"))
    magic, version = struct.unpack_from(">4sI", image)
    assert (magic, version, struct.unpack_from(">Q", image, 24)[0]) == (b"QFI\xfb", 3, 100 * GIB)


def test_disk_image_of_a_large_disk_is_small() -> None:
    """A disk of 14901 GiB takes no more than a few hundred bytes. [EXP-045]"""
    assert len(encode(CONTENT, 14_901, "qcow2")) < 2_000


@pytest.mark.parametrize(("size", "expected"), [(1, 1), (GIB, 1), (GIB + 1, 2), (10 * GIB, 10)])
def test_disk_image_sizes_are_rounded_up_to_gib(size: int, expected: int) -> None:
    """A number of bytes is rounded up to whole GiB. [MAN-013]"""
    assert to_bytes(size) == expected


@given(st.binary(max_size=300))
def test_disk_image_of_any_bytes_is_read_or_refused(body: bytes) -> None:
    """Any object of a bucket is read as a raw image, or refused with a reason. [IMP-006]"""
    for form in (None, "qcow2"):
        with suppress(BadImage):
            decode(body, form)


@given(st.data())
def test_disk_image_with_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    """An image that is cut off, or has a changed byte, is read or refused with no other error. [IMP-006]"""
    image = bytearray(gzip.decompress(encode(CONTENT, 10, "qcow2")))
    spots = st.sampled_from([*range(110), 2**16, 2**17, 3 * 2**16 + 1, 4 * 2**16 + 2, 5 * 2**16 + 20])
    image[data.draw(spots)] = data.draw(st.integers(0, 255))
    with suppress(BadImage):
        decode(bytes(image[: data.draw(st.integers(0, len(image)))]), "qcow2")


def patch(at: int, new: bytes, image: bytes | bytearray = b"") -> bytes:
    """Return an image, or one of ours, with some bytes changed."""
    image = bytearray(image or gzip.decompress(encode(CONTENT, 10, "qcow2")))
    image[at : at + len(new)] = new
    return bytes(image)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"QFI\xfb" + bytes(10), "within the qcow2 header"),
        (patch(4, b"\0\0\0\7"), "version 7"),
        (patch(72, b"\0" * 7 + b"\1"), "features 0x1"),
        (patch(8, b"\0" * 7 + b"\1"), "backing file"),
        (patch(32, b"\0\0\0\1"), "encrypted"),
        (patch(20, b"\0\0\0\xff"), "clusters of 2\\*\\*255"),
        (patch(36, b"\0\0\0\1"), "L1 table"),
        (patch(40, b"\x00" * 4 + b"\x7f" * 4), "L1 table"),
        (patch(3 * 65536, b"\x80\x00\x00\x7f" + bytes(4)), "a table lies beyond"),
        (patch(4 * 65536, b"\x80\x00\x00\x7f" + bytes(4)), "data lies beyond"),
        (patch(4 * 65536, b"\x40" + bytes(7)), "compressed cluster"),
        (patch(5 * 65536 + 16, b"\xff" * 4), "content of the disk"),
        (patch(5 * 65536 + 20, b"!"), "content of the disk"),
        (patch(24, struct.pack(">Q", 65536), patch(5 * 65536 + 16, b"\0\1\xff\xff")), "content of the disk"),
        (b"omisim disk 1\n\0\0\0\0\0\5{]", "content of the disk"),
    ],
)
def test_disk_image_damage_is_named_in_one_sentence(image: bytes, message: str) -> None:
    """The reason of a refusal is one sentence. [IMP-006]"""
    with pytest.raises(BadImage, match=message):
        decode(image)


def test_disk_image_of_a_gzip_bomb_is_refused() -> None:
    """A gzip bomb is refused, not unpacked. [IMP-006]"""
    with pytest.raises(BadImage, match="is larger than"):
        decode(gzip.compress(bytes(2**28 + 1), compresslevel=1))


@pytest.mark.skipif(QEMU is None, reason="qemu-utils is not installed")
class TestQemu:
    """qemu-img, where it is installed, agrees."""

    def qemu(self, *words: str) -> str:
        """Run qemu-img; return what it prints."""
        assert QEMU is not None
        return subprocess.run([QEMU, *words], check=True, capture_output=True, text=True).stdout

    @pytest.mark.parametrize("size", [1, 10, 14_901])
    def test_accepts_our_images(self, tmp_path: Path, size: int) -> None:
        """`qemu-img info` and `check` accept our images. [EXP-045]"""
        image = tmp_path / "disk.qcow2"
        image.write_bytes(gzip.decompress(encode(CONTENT, size, "qcow2")))
        info = json.loads(self.qemu("info", "--output=json", str(image)))
        assert (info["format"], info["virtual-size"]) == ("qcow2", size * GIB)
        assert "No errors" in self.qemu("check", str(image))

    @pytest.mark.parametrize("options", [("-c",), ("-o", "compat=0.10"), ("-o", "cluster_size=4096")])
    def test_converts_our_images_to_ones_we_read(self, tmp_path: Path, options: tuple[str, ...]) -> None:
        """An image that qemu-img converts from ours has the same content. [MAN-019]"""
        first, second = tmp_path / "first.qcow2", tmp_path / "second.qcow2"
        first.write_bytes(gzip.decompress(encode(CONTENT, 10, "qcow2")))
        self.qemu("convert", *options, "-O", "qcow2", str(first), str(second))
        assert decode(second.read_bytes(), "qcow2") == (10 * GIB, CONTENT)

    def test_creates_images_that_we_read(self, tmp_path: Path) -> None:
        """An empty image made by qemu-img is a disk without content. [MAN-019]"""
        image = tmp_path / "disk.qcow2"
        self.qemu("create", "-q", "-f", "qcow2", str(image), "7G")
        assert decode(image.read_bytes(), "qcow2") == (7 * GIB, Content())
