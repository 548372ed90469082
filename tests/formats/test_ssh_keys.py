"""SSH keys of keypairs: what `ssh_keys` makes, reads and refuses."""

from __future__ import annotations

import base64
from importlib.resources import files

import pytest
from formats.ssh_key_samples import (
    COMPRESSED_P_256,
    DSA,
    DSA_PKCS8,
    ED25519,
    EXPLICIT_P_256,
    GOLDEN,
    P_256,
    RSA_1024,
    RSA_2048,
    RSA_3072,
    RSA_4096,
    SECP256K1,
    X25519,
    Golden,
)
from hypothesis import example, given
from hypothesis import strategies as st

from omisim.formats import ssh_keys
from omisim.formats.ssh_keys import PublicKey, generate, parse

EVERY_TEXT = [
    pytest.param(golden, text, id=f"{name}-{form}")
    for name, golden in GOLDEN.items()
    for form in ("openssh", "rfc4716", "pkcs8", "pkcs1")
    if (text := getattr(golden, form))
]
TEXTS = [text for golden in GOLDEN.values() for text in (golden.openssh, golden.rfc4716, golden.pkcs8, golden.pkcs1)]
every_golden = pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN)
every_text = pytest.mark.parametrize(("golden", "text"), EVERY_TEXT)

INTEGER, BIT_STRING, SEQUENCE = 0x02, 0x03, 0x30
P_256_ALGORITHM = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
ED25519_ALGORITHM = bytes.fromhex("300506032b6570")
MODULUS = (2**2048 - 1).to_bytes(257)
EXPONENT = (65537).to_bytes(3)


def blob_of(openssh: str) -> bytes:
    """The wire blob in an OpenSSH line."""
    return base64.b64decode(openssh.split()[1])


def der_of(pem: str) -> bytes:
    """The DER in a PEM text."""
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


def wire(*fields: bytes) -> bytes:
    """A blob of fields, each after its length."""
    return b"".join(len(field).to_bytes(4) + field for field in fields)


def tlv(tag: int, *contents: bytes) -> bytes:
    """A DER value, its length below 65536."""
    content = b"".join(contents)
    size = len(content)
    head = [size] if size < 0x80 else [0x81, size] if size < 0x100 else [0x82, size >> 8, size & 0xFF]
    return bytes([tag, *head]) + content


def openssh(key_type: str, blob: bytes) -> str:
    """An OpenSSH line around any blob."""
    return f"{key_type} {base64.b64encode(blob).decode()}"


def rfc4716(blob: bytes) -> str:
    """An RFC 4716 text around any blob."""
    return f"---- BEGIN SSH2 PUBLIC KEY ----\n{base64.b64encode(blob).decode()}\n---- END SSH2 PUBLIC KEY ----\n"


def pkcs8(der: bytes) -> str:
    """A PEM SubjectPublicKeyInfo around any DER."""
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"


def pkcs1(der: bytes) -> str:
    """A PEM PKCS#1 public key around any DER."""
    return f"-----BEGIN RSA PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END RSA PUBLIC KEY-----\n"


def rsa_line(exponent: bytes, modulus: bytes) -> str:
    """An OpenSSH line of an RSA key of any numbers, in bytes as they stand on the wire."""
    return openssh("ssh-rsa", wire(b"ssh-rsa", exponent, modulus))


def numbers_of(pem: str) -> list[int]:
    """The numbers of a PEM "RSA PRIVATE KEY", which all have lengths of the long form but the first and the third."""
    rest = der_of(pem)[4:]
    numbers = []
    while rest:
        header = 2 + (rest[1] & 0x7F if rest[1] & 0x80 else 0)
        end = header + int.from_bytes(rest[2:header] or rest[1:2])
        numbers.append(int.from_bytes(rest[header:end]))
        rest = rest[end:]
    return numbers


class TestPublicKey:
    """What a public key tells of itself."""

    @every_golden
    def test_fingerprint_is_the_one_of_ssh_keygen(self, golden: Golden) -> None:
        """A fingerprint is the MD5 of the blob in hex with colons, as ssh-keygen prints it. [KEY-004]"""
        assert PublicKey(golden.type, blob_of(golden.openssh)).fingerprint == golden.fingerprint

    @every_golden
    def test_text_is_the_one_of_ssh_keygen(self, golden: Golden) -> None:
        """A key is written as ssh-keygen writes it, without a comment. [KEY-003]"""
        assert PublicKey(golden.type, blob_of(golden.openssh)).openssh == golden.openssh


class TestGeneratedKey:
    """The keys that are made."""

    @pytest.mark.parametrize(
        ("number", "fingerprint"),
        [
            (0, "45:15:fd:e4:c4:10:14:3e:ce:2d:f8:f0:7e:27:a0:1d"),
            (1, "49:a8:36:52:6e:0d:fa:0c:9d:59:80:4c:44:32:6c:49"),
            (8127, "e7:63:eb:94:e9:d0:0e:ba:11:1c:d5:64:56:46:4a:3c"),
        ],
    )
    def test_never_changes_for_a_number(self, number: int, fingerprint: str) -> None:
        """A number gives the key that `ssh-keygen -y` and `openssl rsa -check` once accepted. [KEY-002]"""
        assert generate(number)[1].fingerprint == fingerprint

    @given(st.integers(), st.integers())
    @example(0, 8128)
    @example(-1, 8127)
    def test_repeats_modulo_8128(self, one: int, other: int) -> None:
        """Two numbers have one key if and only if they differ by a multiple of 8128. [KEY-002]"""
        assert (generate(one) == generate(other)) == ((one - other) % 8128 == 0)

    @given(st.integers(0, 8127))
    def test_has_a_public_half_that_can_be_imported(self, number: int) -> None:
        """CreateKeypair accepts the public key. [KEY-003]"""
        public = generate(number)[1]
        assert parse(public.openssh) == public

    @given(st.integers(0, 8127))
    def test_has_a_private_half_of_the_same_modulus(self, number: int) -> None:
        """The PEM and the public key have the same 2048-bit modulus and the exponent 65537. [KEY-002]"""
        pem, public = generate(number)
        _, modulus, exponent, *_ = numbers_of(pem)
        assert (modulus.bit_length(), exponent) == (2048, 65537)
        assert public.blob == wire(b"ssh-rsa", exponent.to_bytes(3), modulus.to_bytes(257))

    @given(st.integers(0, 8127))
    def test_has_a_consistent_private_half(self, number: int) -> None:
        """The numbers of the PEM satisfy the equations of RFC 8017. [KEY-002]"""
        version, n, e, d, p, q, d_p, d_q, q_inverse = numbers_of(generate(number)[0])
        assert (version, n) == (0, p * q)
        assert (e * d_p % (p - 1), e * d_q % (q - 1), q * q_inverse % p) == (1, 1, 1)
        assert (d % (p - 1), d % (q - 1)) == (d_p, d_q)

    def test_has_a_well_formed_pem(self) -> None:
        """The private key is PEM: lines of 64 characters between its two labels, each line ended. [KEY-002]"""
        first, *body, last, end = generate(0)[0].split("\n")
        assert (first, last, end) == ("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "")
        assert {len(line) for line in body[:-1]} == {64}

    def test_comes_from_a_module_that_warns(self) -> None:
        """The module's docstring says that its keys are for tests only. [KEY-002]"""
        assert "FOR TESTS ONLY" in str(ssh_keys.__doc__)


class TestPrimes:
    """The list that keys are made from."""

    PRIMES = tuple(
        int(line, 16) for line in files("omisim.formats").joinpath("primes.txt").read_text("ascii").splitlines()
    )

    def test_are_128_in_ascending_order(self) -> None:
        """There are 128 of them, all different, the smaller ones first [KEY-002]."""
        assert len(self.PRIMES) == 128
        assert list(self.PRIMES) == sorted(set(self.PRIMES))

    def test_have_1024_bits_with_the_two_highest_set(self) -> None:
        """The two highest of 1024 bits are set, so that each product has 2048 bits. [KEY-002]"""
        assert {prime >> 1022 for prime in self.PRIMES} == {0b11}

    def test_are_prime(self) -> None:
        """Each passes Fermat's test to base 2, which a random composite of this size fails. [KEY-002]"""
        assert {pow(2, prime - 1, prime) for prime in self.PRIMES} == {1}

    def test_allow_the_exponent_65537(self) -> None:
        """None is 1 modulo 65537, so that the exponent has an inverse. [KEY-002]"""
        assert all(prime % 65537 != 1 for prime in self.PRIMES)


class TestParsing:
    """What is read."""

    @every_text
    def test_accepts_every_type_in_every_format(self, golden: Golden, text: str) -> None:
        """A key is the same key in OpenSSH, RFC4716, PKCS8 and PEM format. [KEY-003]"""
        assert parse(text) == PublicKey(golden.type, blob_of(golden.openssh))

    @every_text
    def test_accepts_windows_line_ends(self, golden: Golden, text: str) -> None:
        """Lines may end with a carriage return and a line feed. [KEY-003]"""
        assert parse(text.replace("\n", "\r\n")).openssh == golden.openssh

    @every_text
    def test_ignores_surrounding_space(self, golden: Golden, text: str) -> None:
        """Empty lines and spaces may precede and follow a key. [KEY-003]"""
        assert parse(f"\n  {text} \n\n").openssh == golden.openssh

    @every_text
    def test_accepts_a_missing_last_line_end(self, golden: Golden, text: str) -> None:
        """The last line needs no end. [KEY-003]"""
        assert parse(text.rstrip("\n")).openssh == golden.openssh

    @pytest.mark.parametrize("comment", ["me@host", "two words", "josé@hôte \N{KEY}", "a: b", "lone \ud800", "==="])
    def test_ignores_a_comment(self, comment: str) -> None:
        """A comment may follow the key in OpenSSH format, with any characters. [KEY-003]"""
        assert parse(f"{ED25519.openssh} {comment}\n").openssh == ED25519.openssh

    @pytest.mark.parametrize(
        "headers",
        [
            "",
            "Subject: me\nComment: mine\n",
            "Comment: a value\\\nthat goes on\\\nand on\n",
            "x-private: josé\n",
            'Comment: "a: b"\n',
        ],
    )
    def test_accepts_headers_of_rfc4716(self, headers: str) -> None:
        """RFC4716 may have no headers, many, and values that continue over lines. [KEY-003]"""
        begin, key = rfc4716(blob_of(P_256.openssh)).split("\n", 1)
        assert parse(f"{begin}\n{headers}{key}").openssh == P_256.openssh

    @given(st.integers(2**2046, 2**2047 - 1), st.integers(1, 2**64))
    def test_reads_any_odd_numbers_as_rsa(self, half: int, half_exponent: int) -> None:
        """An RSA key reads alike from the SSH format and from DER, whatever its numbers are. [KEY-003]"""
        modulus, exponent = (2 * half + 1).to_bytes(257), 2 * half_exponent + 1
        e = exponent.to_bytes(exponent.bit_length() // 8 + 1)
        der = tlv(SEQUENCE, tlv(INTEGER, modulus), tlv(INTEGER, e))
        assert parse(pkcs1(der)) == parse(rsa_line(e, modulus))


P_256_POINT = der_of(P_256.pkcs8)[-65:]
REFUSALS = {
    "nothing": ("", "not one public key"),
    "blanks": (" \r\n\t\n", "not one public key"),
    "a word": ("garbage", "not a key of one of the types"),
    "words": ("this is not a key", "Base64"),
    "prose": ("two lines\nof prose", "not one public key"),
    "two keys": (f"{ED25519.openssh}\n{P_256.openssh}\n", "not one public key"),
    "options before a key": (f"no-pty {ED25519.openssh}", "Base64"),
    "a private key": (generate(0)[0], "not one public key"),
    "too long a text": (f"{ED25519.openssh} {'x' * 20_000}", "more than 16384 characters"),
    "no Base64": ("ssh-rsa AAAA*", "Base64"),
    "Base64 without its padding": (RSA_4096.openssh.rstrip("="), "Base64"),
    "Base64 beyond ASCII": (ED25519.openssh[:-1] + "\N{CYRILLIC CAPITAL LETTER A}", "Base64"),
    "a surrogate": (ED25519.openssh[:-1] + "\udc80", "Base64"),
    "Base64 that goes on like a header": (ED25519.rfc4716.replace("AAAA", "AAAA\\\n"), "Base64"),
    "other labels at the ends": (ED25519.pkcs8.replace("END", "END RSA"), "not one public key"),
    "another label": (RSA_2048.pkcs8.replace("PUBLIC", "RSA PUBLIC"), "DER"),
    "an end that lacks": (ED25519.pkcs8[:-10], "not one public key"),
    "an empty block": (pkcs8(b""), "DER"),
    "an empty blob": (rfc4716(b""), "not a key of one of the types"),
    "a type but no key": ("ssh-rsa", "not a key of one of the types"),
    "another type on the line": (ED25519.openssh.replace("ssh-ed25519", "ssh-rsa"), "ssh-ed25519"),
    "DSA": (DSA, "not a key of one of the types"),
    "DSA in PKCS8": (DSA_PKCS8, "algorithm"),
    "RSA of 1024 bits": (RSA_1024, "1024 bits"),
    "RSA of 3072 bits": (RSA_3072, "3072 bits"),
    "an even modulus": (rsa_line(EXPONENT, (2**2048 - 2).to_bytes(257)), "odd"),
    "an even exponent": (rsa_line((65536).to_bytes(3), MODULUS), "odd"),
    "the exponent 1": (rsa_line(b"\1", MODULUS), "exponent"),
    "an exponent above the modulus": (rsa_line((2**2048 + 1).to_bytes(257), MODULUS), "exponent"),
    "a negative modulus": (rsa_line(EXPONENT, MODULUS[1:]), "not positive"),
    "an empty number": (rsa_line(b"", MODULUS), "not positive"),
    "a number of too many bytes": (rsa_line(b"\0" + EXPONENT, MODULUS), "as few bytes as possible"),
    "a field too many": (openssh("ssh-ed25519", blob_of(ED25519.openssh) + wire(b"")), "not a key of one of the types"),
    "bytes after the blob": (openssh("ssh-ed25519", blob_of(ED25519.openssh) + b"\0"), "middle of a field"),
    "bytes after the DER": (pkcs8(der_of(ED25519.pkcs8) + b"\0"), "after their end"),
    "a length of too many bytes": (pkcs8(b"\x30\x81\x2a" + der_of(ED25519.pkcs8)[2:]), "DER"),
    "a length without end": (pkcs8(b"\x30\x80" + der_of(ED25519.pkcs8)[2:] + b"\0\0"), "DER"),
    "a length beyond all memory": (pkcs8(b"\x30\xff" + b"\xff" * 127), "DER"),
    "bits that do not fill bytes": (
        pkcs8(tlv(SEQUENCE, P_256_ALGORITHM, tlv(BIT_STRING, b"\1", P_256_POINT))),
        "whole bytes",
    ),
    "no bits": (pkcs8(tlv(SEQUENCE, P_256_ALGORITHM, tlv(BIT_STRING))), "whole bytes"),
    "X25519": (X25519, "algorithm"),
    "another curve": (SECP256K1, "algorithm"),
    "a curve by its equation": (EXPLICIT_P_256, "algorithm"),
    "a compressed point": (COMPRESSED_P_256, "uncompressed point of 65 bytes"),
    "a point that begins otherwise": (
        openssh(P_256.type, wire(P_256.type.encode(), b"nistp256", b"\2" + P_256_POINT[1:])),
        "uncompressed point of 65 bytes",
    ),
    "a point too long": (
        pkcs8(tlv(SEQUENCE, P_256_ALGORITHM, tlv(BIT_STRING, b"\0", P_256_POINT, b"\0"))),
        "uncompressed point of 65 bytes",
    ),
    "no point": (openssh(P_256.type, wire(P_256.type.encode(), b"nistp256", b"")), "uncompressed point of 65 bytes"),
    "the curve of another type": (
        openssh(P_256.type, wire(P_256.type.encode(), b"nistp384", P_256_POINT)),
        "not a key of one of the types",
    ),
    "an Ed25519 point too short": (openssh("ssh-ed25519", wire(b"ssh-ed25519", bytes(31))), "31 bytes, not 32"),
    "an Ed25519 point too long": (
        pkcs8(tlv(SEQUENCE, ED25519_ALGORITHM, tlv(BIT_STRING, bytes(34)))),
        "33 bytes, not 32",
    ),
}


class TestKeyRefusal:
    """What is refused, and why."""

    @pytest.mark.parametrize(("text", "reason"), REFUSALS.values(), ids=REFUSALS)
    def test_has_a_reason(self, text: str, reason: str) -> None:
        """A text that is not a public key of the right kind is refused with the reason. [KEY-003]"""
        with pytest.raises(ValueError, match=reason):
            parse(text)

    @pytest.mark.parametrize("text", [text for text, _ in REFUSALS.values()], ids=REFUSALS)
    def test_has_a_reason_of_one_printable_line(self, text: str) -> None:
        """A reason is one line of printable ASCII, whatever the text contains. [KEY-003]"""
        with pytest.raises(ValueError, match=r"\A[ -~]{10,150}\Z"):
            parse(text)

    @every_golden
    def test_covers_a_blob_cut_off_anywhere(self, golden: Golden) -> None:
        """A blob that lacks its end is not a key. [KEY-003]"""
        blob = blob_of(golden.openssh)
        assert not any(is_key(openssh(golden.type, blob[:end])) for end in range(len(blob)))

    @every_golden
    def test_covers_der_cut_off_anywhere(self, golden: Golden) -> None:
        """A SubjectPublicKeyInfo that lacks its end is not a key. [KEY-003]"""
        der = der_of(golden.pkcs8)
        assert not any(is_key(pkcs8(der[:end])) for end in range(len(der)))


def is_key(text: str) -> bool:
    """Whether a text is read as a key, which is then one to be relied on; anything but a plain ValueError is raised."""
    try:
        key = parse(text)
    except ValueError as error:
        if type(error) is not ValueError:  # the caller tells its own binascii.Error from these
            raise AssertionError from error
        return False
    assert parse(key.openssh) == key
    return True


ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates, too


@st.composite
def damaged_keys(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with a piece taken out and another put in."""
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(start + 8, len(whole))))
    return whole[:start] + draw(st.binary(max_size=8)) + whole[end:]


class TestKeyOrRefusal:
    """`parse` gives a key or a ValueError, and nothing else."""

    @given(ANY_TEXT)
    def test_follows_from_any_text(self, text: str) -> None:
        """Any text is a key or is refused. [KEY-003]"""
        is_key(text)

    @given(st.sampled_from(TEXTS), ANY_TEXT, st.data())
    def test_follows_from_any_text_inside_a_key(self, text: str, other: str, data: st.DataObject) -> None:
        """A key with any text in place of any piece is a key or is refused. [KEY-003]"""
        start = data.draw(st.integers(0, len(text)))
        is_key(text[:start] + other + text[data.draw(st.integers(start, len(text))) :])

    @given(st.binary())
    def test_follows_from_any_bytes_in_every_format(self, content: bytes) -> None:
        """Any bytes in any format are a key or are refused. [KEY-003]"""
        for text in (openssh("ssh-rsa", content), rfc4716(content), pkcs8(content), pkcs1(content)):
            is_key(text)

    @given(st.sampled_from([golden.openssh for golden in GOLDEN.values()]), st.data())
    def test_follows_from_a_damaged_blob(self, line: str, data: st.DataObject) -> None:
        """A damaged blob is a key or is refused. [KEY-003]"""
        is_key(rfc4716(data.draw(damaged_keys(blob_of(line)))))

    @given(st.sampled_from([golden.pkcs8 for golden in GOLDEN.values()]), st.data())
    def test_follows_from_damaged_der(self, pem: str, data: st.DataObject) -> None:
        """Damaged DER is a key or is refused. [KEY-003]"""
        is_key(pkcs8(data.draw(damaged_keys(der_of(pem)))))

    @pytest.mark.parametrize("piece", ["A", "\0", "\n", ":\\\n", "-", " ", "\ud800", "ssh-rsa "])
    def test_follows_quickly_from_ten_million_characters(self, piece: str) -> None:
        """A huge text is refused before it is parsed. [KEY-003]"""
        assert not is_key(piece * (10_000_000 // len(piece)))
