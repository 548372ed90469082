"""Disk images of exports and imports: gzipped qcow2 or raw (EXP-002, EXP-045).

An image has the true virtual size and holds the symbolic content of its disk at guest offset 0: `MARK`, the length of
the JSON text, and that text. A qcow2 image is sparse. A raw image ends with its last used byte; readers pad it.
Images from other tools can be read too: their content is empty.
"""

from __future__ import annotations

import gzip
import json
import struct
import sys
import zlib
from array import array
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from threading import Lock
from typing import NamedTuple

from omisim.base.foreign import parse_json
from omisim.model import Content

__all__ = ["FORMATS", "GIB", "VIRTUAL_SIZE", "BadImage", "decode", "encode", "to_gib"]

FORMATS = ("qcow2", "raw")
GIB = 2**30
VIRTUAL_SIZE = "x-amz-meta-virtual-size"  # the metadata of a stored image that names the bytes of its disk
MARK = b"omisim disk 1\n\0\0"
QCOW2 = b"QFI\xfb"
CLUSTER_BITS = 16
CLUSTER = 2**CLUSTER_BITS
HEADER = struct.Struct(">4sIQIIQIIQQIIQ")  # version 2; version 3 goes on with
HEADER_EXTENSION = struct.Struct(">QQQII")  # features, and the lengths of a refcount and of the header
COPIED = 1 << 63
COMPRESSED = 1 << 62
OFFSET = 0x00FFFFFFFFFFFE00
MAX_CONTENT_SIZE = 2**23  # bytes of content, at most
MAX_IMAGE_SIZE = 2**28  # bytes that are unpacked, at most: an image of ours is far smaller
_DECODING = Lock()  # one image at a time: 16 threads with one each would take some 8 GiB
MAX_ENTRIES = 2**21  # of all tables of a qcow2 image, at most: they are read in a fraction of a second


class BadImage(ValueError):
    """The reason why a disk image cannot be imported."""


def to_gib(size: int) -> int:
    """Convert a size in bytes to GiB, rounded up (MAN-013, SNP-010)."""
    return -(-size // GIB)


@lru_cache(maxsize=64)
def encode(content: Content, size: int, form: str) -> bytes:
    """Return the gzipped image of a disk of `size` GiB. The same disk gives the same bytes."""
    text = json.dumps({"version": content.version, "files": dict(content.files)}).encode()
    used = MARK + struct.pack(">I", len(text)) + text if content != Content() else b""
    image = used if form == "raw" else _encode_qcow2(used, size * GIB)
    return gzip.compress(image, compresslevel=6, mtime=0)


def _encode_qcow2(used: bytes, size: int) -> bytes:
    """Return a qcow2 image, version 3: header, refcounts, L1, and where bytes are used, L2 tables and data."""
    per_l2 = CLUSTER // 8  # data clusters that an L2 table maps
    l1_size = -(-size // (CLUSTER * per_l2))
    l1_clusters = -(-l1_size * 8 // CLUSTER)
    data_clusters = -(-len(used) // CLUSTER)
    l2_tables = -(-data_clusters // per_l2)
    l1_at, l2_at = 3, 3 + l1_clusters  # in clusters; before them: header, refcount table, refcount block
    data_at = l2_at + l2_tables
    total = data_at + data_clusters
    header = HEADER.pack(QCOW2, 3, 0, 0, CLUSTER_BITS, size, 0, l1_size, l1_at * CLUSTER, CLUSTER, 1, 0, 0)
    l1 = [(l2_at + n) * CLUSTER | COPIED for n in range(l2_tables)]
    l2 = [(data_at + n) * CLUSTER | COPIED for n in range(data_clusters)]
    clusters = [
        (0, header + HEADER_EXTENSION.pack(0, 0, 0, 4, HEADER.size + HEADER_EXTENSION.size)),
        (1, struct.pack(">Q", 2 * CLUSTER)),
        (2, struct.pack(f">{total}H", *[1] * total)),
        (l1_at, struct.pack(f">{len(l1)}Q", *l1)),
        (l2_at, struct.pack(f">{len(l2)}Q", *l2)),
        (data_at, used),
    ]
    image = bytearray(total * CLUSTER)
    for at, part in clusters:
        image[at * CLUSTER : at * CLUSTER + len(part)] = part
    return bytes(image)


def decode(body: bytes, form: str | None = None) -> tuple[int, Content]:
    """Return the virtual size of an image in bytes (of a raw image: its length) and the content of its disk.

    `form` is the format that the file name indicates, or None. Raises BadImage.
    """
    with _DECODING:
        return _decode(_unzip(body), form)


def _decode(image: bytes, form: str | None) -> tuple[int, Content]:
    if image.startswith(QCOW2):
        disk = _Qcow2.read(image)
        return disk.size, _decode_content(
            disk.read_bytes(0, len(MARK) + 4), lambda size: disk.read_bytes(len(MARK) + 4, size)
        )
    if form == "qcow2":
        raise BadImage("not a qcow2 image (bad magic)")
    start = len(MARK) + 4
    return len(image), _decode_content(image[:start], lambda size: image[start : start + size])


def _unzip(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    unpacking = zlib.decompressobj(wbits=31)
    try:
        image = unpacking.decompress(body, MAX_IMAGE_SIZE)
    except zlib.error as error:
        raise BadImage(f"the gzip data are damaged: {error}") from None
    if unpacking.unconsumed_tail:
        raise BadImage(f"the decompressed image is larger than {MAX_IMAGE_SIZE} bytes")
    if not unpacking.eof:
        raise BadImage("the file is truncated: the gzip data have no end")
    return image


def _decode_content(start: bytes, rest: Callable[[int], bytes]) -> Content:
    if not start.startswith(MARK):
        return Content()
    size = int.from_bytes(start[len(MARK) :], "big")
    if size > MAX_CONTENT_SIZE:
        raise BadImage(f"the content of the disk is damaged: {size} bytes, more than {MAX_CONTENT_SIZE}")
    try:
        data = parse_json(rest(size))
    except BadImage:
        raise
    except ValueError as error:
        raise BadImage(f"the content of the disk is damaged: {error}") from None
    match data:
        case {"version": int(version), "files": dict(files)} if all(isinstance(text, str) for text in files.values()):
            return Content(version, tuple(sorted(files.items())))
    raise BadImage("the content of the disk is damaged: it must have a version, and files as strings")


def _read_table(image: bytes, at: int, count: int) -> array[int]:
    """Return big-endian numbers of 8 bytes. An array takes 8 bytes for each, a tuple 40."""
    entries = array("Q", image[at : at + 8 * count])
    if sys.byteorder == "little":
        entries.byteswap()
    return entries


class _Qcow2(NamedTuple):
    image: bytes
    cluster: int
    size: int
    l1: array[int]

    @classmethod
    def read(cls, image: bytes) -> _Qcow2:
        """Read the header and the L1 table. Raises BadImage."""
        if len(image) < HEADER.size:
            raise BadImage("the file is truncated within the qcow2 header")
        _, version, backing, _, bits, size, crypt, l1_size, l1_at, *_ = HEADER.unpack_from(image)
        features = int.from_bytes(image[HEADER.size :][:8], "big") if version == 3 else 0  # noqa: PLR2004
        if version not in (2, 3) or features:
            raise BadImage(
                f"qcow2 version {version} with features {features:#x} is not supported; 2 and 3 without any are"
            )
        if backing or crypt:
            raise BadImage("the image is encrypted or has a backing file")
        if not 9 <= bits <= 21 or not size:  # noqa: PLR2004 - what the format allows
            raise BadImage(f"the qcow2 header is damaged: clusters of 2**{bits} bytes and a disk of {size} bytes")
        cluster = 1 << bits
        needed = -(-size // (cluster * (cluster // 8)))  # entries; a longer table has no meaning beyond the disk's end
        if l1_size < needed or l1_at + 8 * needed > len(image):
            raise BadImage("the file is truncated within the L1 table")
        if needed > MAX_ENTRIES:
            raise BadImage(f"the L1 table has {needed} entries; {MAX_ENTRIES} are supported")
        disk = cls(image, cluster, size, _read_table(image, l1_at, needed))
        disk._check()
        return disk

    def _check(self) -> None:
        """Refuse an image whose tables point beyond its end, and one with more entries than `MAX_ENTRIES`."""
        tables = {entry & OFFSET for entry in self.l1} - {0}
        if len(tables) * (self.cluster // 8) > MAX_ENTRIES:
            raise BadImage(f"the L2 tables have more than {MAX_ENTRIES} entries, the number that is supported")
        for at in sorted(tables):
            if at % self.cluster:
                raise BadImage("the qcow2 header is damaged: a table does not begin with a cluster")
            if at + self.cluster > len(self.image):
                raise BadImage("the file is truncated: a table lies beyond its end")
            for data in _read_table(self.image, at, self.cluster // 8):
                if not data & COMPRESSED and data & OFFSET and (data & OFFSET) + 512 > len(self.image):
                    raise BadImage("the file is truncated: data lies beyond its end")

    def read_bytes(self, start: int, count: int) -> bytes:
        """Return bytes of the disk as a guest would read them."""
        if start + count > self.size:
            raise BadImage("the content of the disk is damaged")
        buffer = BytesIO()
        for number in range(start // self.cluster, -(-(start + count) // self.cluster)):
            buffer.write(self._read_cluster(number))
        skipped = start % self.cluster
        return buffer.getvalue()[skipped : skipped + count]

    def _read_cluster(self, number: int) -> bytes:
        per_l2 = self.cluster // 8
        table = self.l1[number // per_l2] & OFFSET
        entry = _read_table(self.image, table + 8 * (number % per_l2), 1)[0] if table else 0
        if entry & COMPRESSED:
            return self._inflate(entry & ~(COPIED | COMPRESSED))
        if not entry & OFFSET or entry & 1:
            return bytes(self.cluster)
        at = entry & OFFSET
        return self.image[at : at + self.cluster].ljust(self.cluster, b"\0")

    def _inflate(self, entry: int) -> bytes:
        shift = 62 - (self.cluster.bit_length() - 1 - 8)
        at, sectors = entry & ((1 << shift) - 1), (entry >> shift) + 1
        packed = self.image[at : at - at % 512 + sectors * 512]
        try:
            return zlib.decompressobj(wbits=-12).decompress(packed, self.cluster).ljust(self.cluster, b"\0")
        except zlib.error as error:
            raise BadImage(f"a compressed cluster is damaged: {error}") from None
