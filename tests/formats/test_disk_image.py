"""Disk images: what we write is what others read, and what is broken is refused."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim.formats import disk_image
from omisim.formats.disk_image import GIB, HEADER, QCOW2, BadImage, decode, encode, to_gib
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
    assert to_gib(size) == expected


@given(st.binary(max_size=300))
def test_disk_image_of_any_bytes_is_read_or_refused(body: bytes) -> None:
    """Any object of a bucket is read as a raw image, or refused with a reason. [IMP-006]"""
    for form in (None, "qcow2"):
        with suppress(BadImage):
            decode(body, form)


@given(st.data())
def test_disk_image_with_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    """An image that is truncated, or has a changed byte, is read or refused with no other error. [IMP-006]"""
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


def build_qcow2(entries: int, size: int = 2**40, *, bits: int = 16, table: int = 2**16, l1_size: int = 0) -> bytes:
    """Return an image whose L1 table has so many entries, which all point to one L2 table, by default to itself."""
    cluster = 1 << bits
    header = HEADER.pack(QCOW2, 2, 0, 0, bits, size, 0, l1_size or entries, cluster, 0, 0, 0, 0).ljust(cluster, b"\0")
    l1 = struct.pack(">Q", table) * entries
    return header + l1.ljust(cluster, b"\0") + bytes(cluster)


class TestTablesOfQcow2:
    """The work that an image causes is bounded by its virtual size and by a number of entries, not by its header."""

    def count_tables(self, image: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
        """Decode an image and return how many entries of tables were read."""
        counts: list[int] = []

        def read_table(image: bytes, at: int, count: int) -> Any:
            counts.append(count)
            return original(image, at, count)

        original = vars(disk_image)["_read_table"]
        monkeypatch.setattr(disk_image, "_read_table", read_table)
        decode(image)
        return sum(counts)

    def test_repeated_entries_are_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A hundred thousand L1 entries that point to one table cost one table, and few kB of gzip. [IMP-006]"""
        image = build_qcow2(100_000, size=100_000 * 2**29)
        assert len(gzip.compress(image)) < 5_000
        assert self.count_tables(image, monkeypatch) < 100_000 + 8_192 + 10

    def test_an_l1_table_beyond_the_disk_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A disk of 1 TiB has 2,048 L1 entries, whatever its header claims. [IMP-006]"""
        assert self.count_tables(build_qcow2(100_000), monkeypatch) < 2_048 + 8_192 + 10

    @pytest.mark.parametrize(
        ("image", "reason"),
        [
            (build_qcow2(1, bits=9, size=2**63 - 1, l1_size=2**32 - 1), "L1 table"),
            (build_qcow2(4, table=65536 + 512, size=2**30), "does not begin with a cluster"),
            (build_qcow2(2**21 + 1, size=(2**21 + 1) * 2**29), "2097153 entries; 2097152 are supported"),
        ],
    )
    def test_that_are_too_large_or_overlap_are_refused(self, image: bytes, reason: str) -> None:
        """Tables of 512-byte steps would overlap, so that a small file had many of them. [IMP-006]"""
        with pytest.raises(BadImage, match=reason):
            decode(image)

    def test_that_map_too_much_are_refused(self) -> None:
        """More than 2,097,152 L2 entries, which map 128 GiB in clusters of 64 kiB, are refused. [IMP-006]"""
        header = HEADER.pack(QCOW2, 2, 0, 0, 21, 2**50, 0, 2**11, 2**21, 0, 0, 0, 0).ljust(2**21, b"\0")
        tables = struct.pack(">9Q", *(n * 2**21 for n in range(1, 10)))
        with pytest.raises(BadImage, match="L2 tables have more than 2097152 entries"):
            decode(header + tables.ljust(2**14, b"\0"))


@pytest.mark.parametrize("version", ["Infinity", "1e999", '"²"', "9" * 5000, '"1"', "1.5", "null"])
def test_disk_image_content_with_a_bad_version_is_refused(version: str) -> None:
    """A version that is not an integer makes the content unreadable, and is named. [IMP-006]"""
    text = b'{"files": {}, "version": %s}' % version.encode()
    with pytest.raises(BadImage, match="the content of the disk is damaged: "):
        decode(b"omisim disk 1\n\0\0" + struct.pack(">I", len(text)) + text)


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


def test_disk_images_are_unpacked_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may unpack to 256 MiB: threads that import such files at once would need that much memory each."""
    active: list[int] = []
    most: list[int] = []

    def unzip(body: bytes) -> bytes:
        active.append(1)
        most.append(len(active))
        sleep(0.01)
        active.pop()
        return body

    monkeypatch.setattr(disk_image, "_unzip", unzip)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(decode, [b"x"] * 4))
    assert max(most) == 1
