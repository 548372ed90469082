"""SSH keys of keypairs: generated for CreateKeypair, or parsed from a given public key (KEY-002 to KEY-004).

THE GENERATED KEYS ARE FOR TESTS ONLY. Their primes are public (`primes.txt`), so anyone can compute every private key.
Never use one for anything real.

There are three reasons for fixed primes: the same cloud gives the same keys on every run, the standard library has no
RSA, and searching for primes would cost each test a second.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from itertools import combinations
from math import lcm
from textwrap import fill

from omisim.base.data_files import read_text
from omisim.base.frozen import frozen

__all__ = ["TYPES", "PublicKey", "generate", "parse"]

EXPONENT = 65537
RSA_BITS = (2048, 4096)
ED25519_BYTES = 32
COORDINATE_BYTES: Mapping[bytes, int] = {b"nistp256": 32, b"nistp384": 48, b"nistp521": 66}
UNCOMPRESSED = b"\x04"  # begins an ECDSA point, both coordinates follow (SEC 1, 2.3.3); SSH knows no compressed ones
MAX_TEXT_LENGTH = 16_384  # an RSA key of 4096 bits takes about 800; the rest allows headers and comments
TYPES = ("ssh-rsa", "ssh-ed25519", *(f"ecdsa-sha2-{curve.decode()}" for curve in COORDINATE_BYTES))

INTEGER, BIT_STRING, SEQUENCE = 0x02, 0x03, 0x30  # tags of DER
LONG_FORM = 0x80  # bit of a DER length's first byte


@frozen()
class PublicKey:
    """A public key. `type` is one of `TYPES`. `blob` is its OpenSSH wire encoding (RFC 4253, 6.6)."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """The MD5 of the blob in hex with colons, as `ssh-keygen -l -E md5` prints it (KEY-004)."""
        return hashlib.md5(self.blob, usedforsecurity=False).digest().hex(":")

    @property
    def openssh(self) -> str:
        """The key as a line of `authorized_keys`, without a comment or a line end."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"

    def encrypt(self, message: bytes, seed: str) -> bytes:
        """Encrypt a message by RSAES-PKCS1-v1_5 (RFC 8017, 7.2.1).

        The padding derives from the seed instead of being random. Raises ValueError for a key that is not RSA.
        """
        if self.type != "ssh-rsa":
            raise ValueError(f"type must be ssh-rsa to encrypt, not {self.type}")
        _, exponent, modulus = _decode_wire(self.blob)
        n = _decode_integer(modulus)
        size = (n.bit_length() + 7) // 8
        padding = hashlib.shake_256(seed.encode()).digest(size - 3 - len(message)).replace(b"\0", b"\1")
        block = b"\0\2" + padding + b"\0" + message
        return pow(int.from_bytes(block), _decode_integer(exponent), n).to_bytes(size)


def generate(number: int) -> tuple[str, PublicKey]:
    """Return a 2048-bit RSA key pair: the private key as PEM (PKCS#1) and the public key (KEY-002).

    The same number always gives the same keys. Numbers that differ by a multiple of 8128 share them.
    """
    q, p = _load_prime_pairs()[number % len(_load_prime_pairs())]
    d = pow(EXPONENT, -1, lcm(p - 1, q - 1))
    numbers = (0, p * q, EXPONENT, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))  # RFC 8017, A.1.2
    der = _encode_der(SEQUENCE, b"".join(_encode_der(INTEGER, _encode_integer(value)) for value in numbers))
    body = fill(base64.b64encode(der).decode(), 64)
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n"
    return pem, _make_rsa_key(_encode_integer(EXPONENT), _encode_integer(p * q))


def parse(text: str) -> PublicKey:
    """Parse a public key: an OpenSSH line, RFC 4716, PEM SubjectPublicKeyInfo or PEM PKCS#1 (KEY-003).

    Raises ValueError, whose text is a clause that states the reason, for any other text. The factors of a modulus and
    the position of a point on its curve are not checked.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise ValueError(f"the text has more than {MAX_TEXT_LENGTH} characters")
    # Only comments and headers, which are ignored, may contain non-ASCII characters. A lone surrogate becomes "?".
    match [line.strip() for line in text.encode(errors="replace").strip().splitlines()]:
        case [line]:
            return _parse_openssh(line)
        case [b"---- BEGIN SSH2 PUBLIC KEY ----", *body, b"---- END SSH2 PUBLIC KEY ----"]:
            return _parse_wire(_decode_base64(_drop_headers(body)))
        case [b"-----BEGIN PUBLIC KEY-----", *body, b"-----END PUBLIC KEY-----"]:
            return _parse_subject_public_key_info(_decode_base64(body))
        case [b"-----BEGIN RSA PUBLIC KEY-----", *body, b"-----END RSA PUBLIC KEY-----"]:
            return _parse_pkcs1(_decode_base64(body))
    raise ValueError("the text is not one public key in OpenSSH, RFC4716, PKCS8 or PEM format")


def _make_rsa_key(exponent: bytes, modulus: bytes) -> PublicKey:
    e, n = _decode_integer(exponent), _decode_integer(modulus)
    if n.bit_length() not in RSA_BITS:
        raise ValueError(f"the RSA modulus has {n.bit_length()} bits, not 2048 or 4096")
    if n % 2 == 0 or e % 2 == 0 or not 1 < e < n:
        raise ValueError("the RSA modulus and exponent must be odd, and the exponent between 1 and the modulus")
    return PublicKey("ssh-rsa", _encode_wire(b"ssh-rsa", exponent, modulus))


def _make_ed25519_key(point: bytes) -> PublicKey:
    if len(point) != ED25519_BYTES:
        raise ValueError(f"the Ed25519 point has {len(point)} bytes, not {ED25519_BYTES}")
    return PublicKey("ssh-ed25519", _encode_wire(b"ssh-ed25519", point))


def _make_ecdsa_key(curve: bytes, point: bytes) -> PublicKey:
    size = len(UNCOMPRESSED) + 2 * COORDINATE_BYTES[curve]
    if len(point) != size or not point.startswith(UNCOMPRESSED):
        raise ValueError(f"the ECDSA point is not an uncompressed point of {size} bytes")
    key_type = b"ecdsa-sha2-" + curve
    return PublicKey(key_type.decode(), _encode_wire(key_type, curve, point))


def _parse_openssh(line: bytes) -> PublicKey:
    name, *rest = line.split(maxsplit=2)  # type, Base64, comment
    key = _parse_wire(_decode_base64(rest[:1]))
    if key.type.encode() != name:
        raise ValueError(f"the line must begin with {key.type}, the type of the key")
    return key


def _parse_wire(blob: bytes) -> PublicKey:
    match _decode_wire(blob):
        case [b"ssh-rsa", exponent, modulus]:
            return _make_rsa_key(exponent, modulus)
        case [b"ssh-ed25519", point]:
            return _make_ed25519_key(point)
        case [key_type, curve, point] if curve in COORDINATE_BYTES and key_type == b"ecdsa-sha2-" + curve:
            return _make_ecdsa_key(curve, point)
    raise ValueError(f"the data are not a key of one of the types {', '.join(TYPES)}")


def _parse_subject_public_key_info(der: bytes) -> PublicKey:
    (body,) = _decode_der(der, SEQUENCE)
    algorithm, bits = _decode_der(body, SEQUENCE, BIT_STRING)
    if not bits.startswith(b"\0"):
        raise ValueError("the bits of the key do not fill whole bytes")
    if algorithm not in ALGORITHMS:
        raise ValueError("the algorithm must be RSA, Ed25519 or ECDSA on the named curves P-256, P-384 and P-521")
    return ALGORITHMS[algorithm](bits[1:])


def _parse_pkcs1(der: bytes) -> PublicKey:
    (body,) = _decode_der(der, SEQUENCE)
    modulus, exponent = _decode_der(body, INTEGER, INTEGER)
    return _make_rsa_key(exponent, modulus)


# content of an AlgorithmIdentifier (object identifiers in DER, and a NULL after RSA's) → parser of the key's bits
ALGORITHMS: Mapping[bytes, Callable[[bytes], PublicKey]] = {
    bytes.fromhex("06092a864886f70d010101 0500"): _parse_pkcs1,
    bytes.fromhex("06032b6570"): _make_ed25519_key,
    bytes.fromhex("06072a8648ce3d0201 06082a8648ce3d030107"): partial(_make_ecdsa_key, b"nistp256"),
    bytes.fromhex("06072a8648ce3d0201 06052b81040022"): partial(_make_ecdsa_key, b"nistp384"),
    bytes.fromhex("06072a8648ce3d0201 06052b81040023"): partial(_make_ecdsa_key, b"nistp521"),
}


def _drop_headers(lines: Iterable[bytes]) -> list[bytes]:
    """Remove RFC 4716 headers, `Tag: value`. A backslash at the end of a line continues the value."""
    return [line for line in b"\n".join(lines).replace(b"\\\n", b" ").splitlines() if b":" not in line]


def _decode_base64(lines: Iterable[bytes]) -> bytes:
    try:
        return base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error as error:
        raise ValueError("the Base64 data are damaged") from error


# Encodings. DER and the wire format encode an integer alike: two's complement, big-endian, with as few bytes as
# possible. Decoding accepts only the canonical encoding, so that every key has one blob and one fingerprint.


def _encode_integer(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1)


def _decode_integer(content: bytes) -> int:
    value = int.from_bytes(content, signed=True)
    if value <= 0 or _encode_integer(value) != content:
        raise ValueError("a number of the key is not positive, or not encoded with as few bytes as possible")
    return value


def _encode_wire(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4) + field for field in fields)


def _decode_wire(blob: bytes) -> list[bytes]:
    fields: list[bytes] = []
    while blob:
        end = 4 + int.from_bytes(blob[:4])
        if end > len(blob):
            raise ValueError("the data of the key end in the middle of a field")
        fields.append(blob[4:end])
        blob = blob[end:]
    return fields


def _encode_der(tag: int, content: bytes) -> bytes:
    """Encode one DER value. A length of 128 or more follows a byte with the number of length bytes."""
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8 or 1)
    return bytes([tag]) + (length if size < LONG_FORM else bytes([LONG_FORM | len(length)]) + length) + content


def _decode_der(data: bytes, *tags: int) -> list[bytes]:
    """Decode DER data that consists of one value for each tag, in order. Returns their contents."""
    values: list[bytes] = []
    for tag in tags:
        length, start = int.from_bytes(data[1:2]), 2
        if length >= LONG_FORM:
            start += length - LONG_FORM
            length = int.from_bytes(data[2:start])
        values.append(data[start : start + length])
        if not data.startswith(_encode_der(tag, values[-1])):
            raise ValueError("the DER data are not a public key")
        data = data[start + length :]
    if data:
        raise ValueError("the DER data have bytes after their end")
    return values


@cache
def _load_prime_pairs() -> tuple[tuple[int, int], ...]:
    """Return all pairs of the 128 primes, the smaller first, in the order of `itertools.combinations`.

    The primes are ascending. Each has 1024 bits with the two highest set, so that every product has 2048 bits.
    """
    primes = read_text("omisim.formats", "primes.txt").split()
    return tuple(combinations([int(prime, 16) for prime in primes], 2))
