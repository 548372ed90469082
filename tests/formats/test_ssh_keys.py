"""SSH keys of keypairs: what `ssh_keys` makes, reads and refuses.

The keys below were made once: by ssh-keygen (`-t`, then `-e -m RFC4716|PKCS8|PEM`; fingerprints by `-l -E md5`), and by
openssl what ssh-keygen does not write. So no test needs either program.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omisim.formats import ssh_keys
from omisim.formats.ssh_keys import PublicKey, generate, parse


@dataclass(frozen=True)
class Golden:
    """One key in every format it has; `openssh` without a comment."""

    type: str
    fingerprint: str
    openssh: str
    rfc4716: str
    pkcs8: str
    pkcs1: str = ""


RSA_2048 = Golden(
    type="ssh-rsa",
    fingerprint="30:b6:3f:cc:a1:78:17:c2:35:83:28:94:cc:7d:e3:2f",
    openssh=(
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDVGsusaWESKpkP4y15BBzl92lq/5XrZKDom/90k+Dvakntq10t5LBYXK/ZG7pwVIKWEpjwLw"
        "lEM8AcrCTbNRLZND3EzEdbPjhD4KmtkxyrIsJVSeojOtm0+6XA01O4x6B+MhxHr9gVfLa998CL0g7t9FOVZRvjLBmhFIJOraMZZcw7H90uzePW"
        "sNtDowAvpIwgfdZ3GsOAkjOdCUyXvZgzJbzEQPOde/wZVKLEa7+o6CQUqcFhXI3TIRzP9axjoebBuM00Sk2i5rpLZXil43EUiqS+gZXZVElvNX"
        "t75Y43OGUpOB99A3+b3Kpuwr+gzW7N0KXi9YMPNo6wFY3Vr6BR"
    ),
    rfc4716="""\
---- BEGIN SSH2 PUBLIC KEY ----
Comment: "2048-bit RSA, converted by omisim from OpenSSH"
AAAAB3NzaC1yc2EAAAADAQABAAABAQDVGsusaWESKpkP4y15BBzl92lq/5XrZKDom/90k+
Dvakntq10t5LBYXK/ZG7pwVIKWEpjwLwlEM8AcrCTbNRLZND3EzEdbPjhD4KmtkxyrIsJV
SeojOtm0+6XA01O4x6B+MhxHr9gVfLa998CL0g7t9FOVZRvjLBmhFIJOraMZZcw7H90uze
PWsNtDowAvpIwgfdZ3GsOAkjOdCUyXvZgzJbzEQPOde/wZVKLEa7+o6CQUqcFhXI3TIRzP
9axjoebBuM00Sk2i5rpLZXil43EUiqS+gZXZVElvNXt75Y43OGUpOB99A3+b3Kpuwr+gzW
7N0KXi9YMPNo6wFY3Vr6BR
---- END SSH2 PUBLIC KEY ----
""",
    pkcs8="""\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1RrLrGlhEiqZD+MteQQc
5fdpav+V62Sg6Jv/dJPg72pJ7atdLeSwWFyv2Ru6cFSClhKY8C8JRDPAHKwk2zUS
2TQ9xMxHWz44Q+CprZMcqyLCVUnqIzrZtPulwNNTuMegfjIcR6/YFXy2vffAi9IO
7fRTlWUb4ywZoRSCTq2jGWXMOx/dLs3j1rDbQ6MAL6SMIH3WdxrDgJIznQlMl72Y
MyW8xEDznXv8GVSixGu/qOgkFKnBYVyN0yEcz/WsY6HmwbjNNEpNoua6S2V4peNx
FIqkvoGV2VRJbzV7e+WONzhlKTgffQN/m9yqbsK/oM1uzdCl4vWDDzaOsBWN1a+g
UQIDAQAB
-----END PUBLIC KEY-----
""",
    pkcs1="""\
-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEA1RrLrGlhEiqZD+MteQQc5fdpav+V62Sg6Jv/dJPg72pJ7atdLeSw
WFyv2Ru6cFSClhKY8C8JRDPAHKwk2zUS2TQ9xMxHWz44Q+CprZMcqyLCVUnqIzrZ
tPulwNNTuMegfjIcR6/YFXy2vffAi9IO7fRTlWUb4ywZoRSCTq2jGWXMOx/dLs3j
1rDbQ6MAL6SMIH3WdxrDgJIznQlMl72YMyW8xEDznXv8GVSixGu/qOgkFKnBYVyN
0yEcz/WsY6HmwbjNNEpNoua6S2V4peNxFIqkvoGV2VRJbzV7e+WONzhlKTgffQN/
m9yqbsK/oM1uzdCl4vWDDzaOsBWN1a+gUQIDAQAB
-----END RSA PUBLIC KEY-----
""",
)
RSA_4096 = Golden(
    type="ssh-rsa",
    fingerprint="ca:34:84:bc:d2:10:1c:e3:92:62:ee:2d:55:0a:80:02",
    openssh=(
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAACAQCL4Vk07VYl6PnToL7tx+ItdJc4Z/pHX4F+rKIfedN16wKxmYhaWdZ6mnUWYpVj4fd92ctTpp"
        "PVLFSrpAvDu+PLWXx5B2C9DWQJ99KzR2d7NWhoiwnQ89z9u7x4ZPOXC85NkaiOVYKzS9KTi3WJjDGxs2e0PJrw1YILuSv1+OxWLnogg2Ep6kJn"
        "aEieXpI3fV5uC80zJ8Rf4nXZ0mwMCZFb6ZMoNbCPDlPCFCrgPAqDELgAc1Hf6tM1pgEZxbv1FEsky/Z43Wv2npm7xnHUeLJOVXKVTAI8mOPMdp"
        "N2y+0CTWirT71XUeHTeipGiqZoKmNVEbtEumQIrmbpqLptnjvEiniCUy9cCoTh7B7FoAUXWO5zO0FXXqjK6C0E0Q3yS+MFfZJPJj44H/LKJS+v"
        "cT+gEcKSsXW0l26yvSNfZAr/2Km/WooaB2TvGFfE/WSGEgpawlx/5VcXuM8mNMfZjdrtRZT1PCpG8EFcSjdUF0rn6KebqKrEeXwfWIVFeom6Fb"
        "JBVxqJiKcTRwAspNx+t73WrAXuqMwmY7hVRDnVCSv7yjEr6qdc1OUmp07Qd+JLply2SlbllZNhI+n8Q3psiuj/G8e23mI7E/79x0l41C2HDelL"
        "EZU/G39rgGYJ7SvBkdCHoIoVQ9KKn8UZYzfyrw8Ir3Fb33cN8XwxQ11k/JDGTw=="
    ),
    rfc4716="""\
---- BEGIN SSH2 PUBLIC KEY ----
Comment: "4096-bit RSA, converted by omisim from OpenSSH"
AAAAB3NzaC1yc2EAAAADAQABAAACAQCL4Vk07VYl6PnToL7tx+ItdJc4Z/pHX4F+rKIfed
N16wKxmYhaWdZ6mnUWYpVj4fd92ctTppPVLFSrpAvDu+PLWXx5B2C9DWQJ99KzR2d7NWho
iwnQ89z9u7x4ZPOXC85NkaiOVYKzS9KTi3WJjDGxs2e0PJrw1YILuSv1+OxWLnogg2Ep6k
JnaEieXpI3fV5uC80zJ8Rf4nXZ0mwMCZFb6ZMoNbCPDlPCFCrgPAqDELgAc1Hf6tM1pgEZ
xbv1FEsky/Z43Wv2npm7xnHUeLJOVXKVTAI8mOPMdpN2y+0CTWirT71XUeHTeipGiqZoKm
NVEbtEumQIrmbpqLptnjvEiniCUy9cCoTh7B7FoAUXWO5zO0FXXqjK6C0E0Q3yS+MFfZJP
Jj44H/LKJS+vcT+gEcKSsXW0l26yvSNfZAr/2Km/WooaB2TvGFfE/WSGEgpawlx/5VcXuM
8mNMfZjdrtRZT1PCpG8EFcSjdUF0rn6KebqKrEeXwfWIVFeom6FbJBVxqJiKcTRwAspNx+
t73WrAXuqMwmY7hVRDnVCSv7yjEr6qdc1OUmp07Qd+JLply2SlbllZNhI+n8Q3psiuj/G8
e23mI7E/79x0l41C2HDelLEZU/G39rgGYJ7SvBkdCHoIoVQ9KKn8UZYzfyrw8Ir3Fb33cN
8XwxQ11k/JDGTw==
---- END SSH2 PUBLIC KEY ----
""",
    pkcs8="""\
-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAi+FZNO1WJej506C+7cfi
LXSXOGf6R1+BfqyiH3nTdesCsZmIWlnWepp1FmKVY+H3fdnLU6aT1SxUq6QLw7vj
y1l8eQdgvQ1kCffSs0dnezVoaIsJ0PPc/bu8eGTzlwvOTZGojlWCs0vSk4t1iYwx
sbNntDya8NWCC7kr9fjsVi56IINhKepCZ2hInl6SN31ebgvNMyfEX+J12dJsDAmR
W+mTKDWwjw5TwhQq4DwKgxC4AHNR3+rTNaYBGcW79RRLJMv2eN1r9p6Zu8Zx1Hiy
TlVylUwCPJjjzHaTdsvtAk1oq0+9V1Hh03oqRoqmaCpjVRG7RLpkCK5m6ai6bZ47
xIp4glMvXAqE4ewexaAFF1jucztBV16oyugtBNEN8kvjBX2STyY+OB/yyiUvr3E/
oBHCkrF1tJdusr0jX2QK/9ipv1qKGgdk7xhXxP1khhIKWsJcf+VXF7jPJjTH2Y3a
7UWU9TwqRvBBXEo3VBdK5+inm6iqxHl8H1iFRXqJuhWyQVcaiYinE0cALKTcfre9
1qwF7qjMJmO4VUQ51Qkr+8oxK+qnXNTlJqdO0HfiS6ZctkpW5ZWTYSPp/EN6bIro
/xvHtt5iOxP+/cdJeNQthw3pSxGVPxt/a4BmCe0rwZHQh6CKFUPSip/FGWM38q8P
CK9xW993DfF8MUNdZPyQxk8CAwEAAQ==
-----END PUBLIC KEY-----
""",
    pkcs1="""\
-----BEGIN RSA PUBLIC KEY-----
MIICCgKCAgEAi+FZNO1WJej506C+7cfiLXSXOGf6R1+BfqyiH3nTdesCsZmIWlnW
epp1FmKVY+H3fdnLU6aT1SxUq6QLw7vjy1l8eQdgvQ1kCffSs0dnezVoaIsJ0PPc
/bu8eGTzlwvOTZGojlWCs0vSk4t1iYwxsbNntDya8NWCC7kr9fjsVi56IINhKepC
Z2hInl6SN31ebgvNMyfEX+J12dJsDAmRW+mTKDWwjw5TwhQq4DwKgxC4AHNR3+rT
NaYBGcW79RRLJMv2eN1r9p6Zu8Zx1HiyTlVylUwCPJjjzHaTdsvtAk1oq0+9V1Hh
03oqRoqmaCpjVRG7RLpkCK5m6ai6bZ47xIp4glMvXAqE4ewexaAFF1jucztBV16o
yugtBNEN8kvjBX2STyY+OB/yyiUvr3E/oBHCkrF1tJdusr0jX2QK/9ipv1qKGgdk
7xhXxP1khhIKWsJcf+VXF7jPJjTH2Y3a7UWU9TwqRvBBXEo3VBdK5+inm6iqxHl8
H1iFRXqJuhWyQVcaiYinE0cALKTcfre91qwF7qjMJmO4VUQ51Qkr+8oxK+qnXNTl
JqdO0HfiS6ZctkpW5ZWTYSPp/EN6bIro/xvHtt5iOxP+/cdJeNQthw3pSxGVPxt/
a4BmCe0rwZHQh6CKFUPSip/FGWM38q8PCK9xW993DfF8MUNdZPyQxk8CAwEAAQ==
-----END RSA PUBLIC KEY-----
""",
)
ED25519 = Golden(
    type="ssh-ed25519",
    fingerprint="8b:d2:5c:00:97:35:95:66:13:f4:ee:10:12:ee:58:ed",
    openssh=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEuZQk1diWTtr2It59NwcQ8VULVQHJyCuVPWrwJBTXoH"),
    rfc4716="""\
---- BEGIN SSH2 PUBLIC KEY ----
Comment: "256-bit ED25519, converted by omisim from OpenSSH"
AAAAC3NzaC1lZDI1NTE5AAAAIEuZQk1diWTtr2It59NwcQ8VULVQHJyCuVPWrwJBTXoH
---- END SSH2 PUBLIC KEY ----
""",
    pkcs8="""\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAS5lCTV2JZO2vYi3n03BxDxVQtVAcnIK5U9avAkFNegc=
-----END PUBLIC KEY-----
""",
)
P_256 = Golden(
    type="ecdsa-sha2-nistp256",
    fingerprint="7e:42:fa:37:87:fb:96:65:ba:a6:4b:fd:37:50:6a:d5",
    openssh=(
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLHUuo/H0zHC2gLrToc+9R3zRbuObYtivjA5xT"
        "cBXr11OFEo067bOHte2BEOeNgaRctVxWuImC2TG+b+KxYPM28="
    ),
    rfc4716="""\
---- BEGIN SSH2 PUBLIC KEY ----
Comment: "256-bit ECDSA, converted by omisim from OpenSSH"
AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLHUuo/H0zHC2gLrTo
c+9R3zRbuObYtivjA5xTcBXr11OFEo067bOHte2BEOeNgaRctVxWuImC2TG+b+KxYPM28=
---- END SSH2 PUBLIC KEY ----
""",
    pkcs8="""\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsdS6j8fTMcLaAutOhz71HfNFu45t
i2K+MDnFNwFevXU4USjTrts4e17YEQ542BpFy1XFa4iYLZMb5v4rFg8zbw==
-----END PUBLIC KEY-----
""",
)
P_384 = Golden(
    type="ecdsa-sha2-nistp384",
    fingerprint="4a:0c:b7:d7:42:c3:9b:9e:41:d8:c9:b9:0a:60:06:81",
    openssh=(
        "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBLhb5/jSy7nhA9KQidKvme+Yt7Ze9JaKUwHNKR"
        "M6p2iKcwNtfgs+KW/8XhiYfahq731Vhlj1OFZtjHCStSlbv3raGlo2Az/naP0jtbW8hmiuvv495/Ws8h8+BmiikswvOw=="
    ),
    rfc4716="""\
---- BEGIN SSH2 PUBLIC KEY ----
Comment: "384-bit ECDSA, converted by omisim from OpenSSH"
AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBLhb5/jSy7nhA9KQid
Kvme+Yt7Ze9JaKUwHNKRM6p2iKcwNtfgs+KW/8XhiYfahq731Vhlj1OFZtjHCStSlbv3ra
Glo2Az/naP0jtbW8hmiuvv495/Ws8h8+BmiikswvOw==
---- END SSH2 PUBLIC KEY ----
""",
    pkcs8="""\
-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEuFvn+NLLueED0pCJ0q+Z75i3tl70lopT
Ac0pEzqnaIpzA21+Cz4pb/xeGJh9qGrvfVWGWPU4Vm2McJK1KVu/etoaWjYDP+do
/SO1tbyGaK6+/j3n9azyHz4GaKKSzC87
-----END PUBLIC KEY-----
""",
)
P_521 = Golden(
    type="ecdsa-sha2-nistp521",
    fingerprint="2a:14:32:87:f7:af:eb:04:05:d3:d0:8e:b7:8c:e1:bf",
    openssh=(
        "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBADiQjXHAFckIox2r6Vfag3zLv8t4v6sN3g+VH"
        "UrPwtSIkJG/4/bQHa0tPUhcQnyQpJi65+nWtrvPNXCSsbAbK3j8AHuzHS3jf89bSzK0CmgeSlQXyQUoj7CVuCEWqxPJ1k4/ovxfyWAwpm4tNn1"
        "OD2DeYfK5pkrg1+tNUojpmwBq7b8Ow=="
    ),
    rfc4716="""\
---- BEGIN SSH2 PUBLIC KEY ----
Comment: "521-bit ECDSA, converted by omisim from OpenSSH"
AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBADiQjXHAFckIox2r6
Vfag3zLv8t4v6sN3g+VHUrPwtSIkJG/4/bQHa0tPUhcQnyQpJi65+nWtrvPNXCSsbAbK3j
8AHuzHS3jf89bSzK0CmgeSlQXyQUoj7CVuCEWqxPJ1k4/ovxfyWAwpm4tNn1OD2DeYfK5p
krg1+tNUojpmwBq7b8Ow==
---- END SSH2 PUBLIC KEY ----
""",
    pkcs8="""\
-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQA4kI1xwBXJCKMdq+lX2oN8y7/LeL+
rDd4PlR1Kz8LUiJCRv+P20B2tLT1IXEJ8kKSYuufp1ra7zzVwkrGwGyt4/AB7sx0
t43/PW0sytApoHkpUF8kFKI+wlbghFqsTydZOP6L8X8lgMKZuLTZ9Tg9g3mHyuaZ
K4NfrTVKI6ZsAau2/Ds=
-----END PUBLIC KEY-----
""",
)

# Keys that are refused: of a wrong size, algorithm or curve.
RSA_1024 = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCo48v78AbelCeRXz5ubWvY913nhemnF4gmHw0nkUVQVRNaQlAi6W/rzn/mBmYqn8KGJO0noh"
    "dPinx2SJ3XFNzrtMitMzG0mbWguR6xBosNF8EpJ2RgxXRS6zY13xFOf1yCNd3jALIvrn2HfKm5M4hZ4zv2+Fs0GM6NeFiMqxwRmQ=="
)
RSA_3072 = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCqA48n/tIsuYqAowfAVkKy6QflQjwwHa/kOAn+R04bYUutRYAkxxEX0U/aSTVmLAqqfH9aeQ"
    "ODpvbkgk6uMCt0M4NrCl3oVlFoCpYzD4wqODpA70ursf/v4sWXi+YQy4wGbEyeq96aY9bDOJa/Ak7IDdftsAEKZJNLUMHounjShLpP/KHNoLSs"
    "Gqkw7xLFuoio1cZZA+RA313NirBax8Z1kvQuL4/CuUcQtDGOe0LLwSb8BbjoEoOrFSMuAVXCOHZmMUNZA7EJZF1scS0lCjquWGFGVknvUGf+7M"
    "p8SwIeJGrRjPrJZOgupQ7CJzgT3ztv/u0wo98FLyWrjpguZ/qoEtJkktEg1FYIAiPuWH+0ZvUiHKG+F1icIKoWRgFxYW+YyFA4JL6J4nDTgG84"
    "ZRheQWuupArTOpKyQC+frhu3i+uplmuQipNkQfrdThLiy0kbz4ng1MWjnlAmokEtrZyWIGftya44sYIAyZq8Coq1gsjeeEi4nCCsytHFUJ0uqs"
    "U="
)
DSA = (
    "ssh-dss AAAAB3NzaC1kc3MAAACBAKrFoP0af30emwTg1FhUxyEBFuEB4VOG5aoyGST3/svtYaNFc8kl5QTdTWxjb05ggmaHT5/6YtiVookncY"
    "f+NJEnnUhJ9L0OTZfr8w7Pv131uCqHhgeD/n6yqHjBEF1kMBFA3FA1UqtnqYt8hFmEJS2liiANrlBWHPusqBLAYk59AAAAFQC/SPhRQFGgbT1k"
    "XeJRPAU3gqd72wAAAIEAjssJE1FQOmFgz+ymhhymKWreu3hIF5wCsZLeVdzatgbleUIfzzda21+3YB2vG9+vcsrlTfxTMXHDYZTuXQfna0CMfM"
    "9k/vIb5uXXjOfe/V3e4JCh5eoafVb5imtEtp6bLqMI6BW78svpr4ApuaLXKLUcwTgM6dISd+qKEXEn8qkAAACAfwX4G1bZU2v+BvmMcehCUXIl"
    "No5iLWOeaaiT0XTHaY/gnukuLZmrn+hizScsFCaP1uM4oLKciMWSxoYla6Dx7GO0lkn5A/iIzJRDC9Ejx6PSOhMZLZN+PCE8DuqAiPi8fkLxNv"
    "Ut/JqrqCl+R4zsDNwcKCC+pvEoKIUuTV+HPJE="
)
DSA_PKCS8 = """\
-----BEGIN PUBLIC KEY-----
MIIBtzCCASwGByqGSM44BAEwggEfAoGBAKrFoP0af30emwTg1FhUxyEBFuEB4VOG
5aoyGST3/svtYaNFc8kl5QTdTWxjb05ggmaHT5/6YtiVookncYf+NJEnnUhJ9L0O
TZfr8w7Pv131uCqHhgeD/n6yqHjBEF1kMBFA3FA1UqtnqYt8hFmEJS2liiANrlBW
HPusqBLAYk59AhUAv0j4UUBRoG09ZF3iUTwFN4Kne9sCgYEAjssJE1FQOmFgz+ym
hhymKWreu3hIF5wCsZLeVdzatgbleUIfzzda21+3YB2vG9+vcsrlTfxTMXHDYZTu
XQfna0CMfM9k/vIb5uXXjOfe/V3e4JCh5eoafVb5imtEtp6bLqMI6BW78svpr4Ap
uaLXKLUcwTgM6dISd+qKEXEn8qkDgYQAAoGAfwX4G1bZU2v+BvmMcehCUXIlNo5i
LWOeaaiT0XTHaY/gnukuLZmrn+hizScsFCaP1uM4oLKciMWSxoYla6Dx7GO0lkn5
A/iIzJRDC9Ejx6PSOhMZLZN+PCE8DuqAiPi8fkLxNvUt/JqrqCl+R4zsDNwcKCC+
pvEoKIUuTV+HPJE=
-----END PUBLIC KEY-----
"""
SECP256K1 = """\
-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE9i+bcFXgUXprAwprgvRMHcYxfXq20ZsA
K4j1k8jmQleTNNYMXcfuKpii25nIZuZXj790n1b7wXDpwddwv1VnIQ==
-----END PUBLIC KEY-----
"""
EXPLICIT_P_256 = """\
-----BEGIN PUBLIC KEY-----
MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA
AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////
///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd
NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5
RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA
//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABDtGYxEldbqOfF8n6CBovoht
E9eCa0XdCH9B/Xn1eh93pMdiTNPQYAc46jB7z68PyfZHt9kI0ejkXtzQ+33npfE=
-----END PUBLIC KEY-----
"""
COMPRESSED_P_256 = """\
-----BEGIN PUBLIC KEY-----
MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADP5rbOUC6xoNjH/bycoK0cJAxU9NW
+hjmiaMv8NXkweM=
-----END PUBLIC KEY-----
"""
X25519 = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEAuDpRm3QpcVZAsyTSpHxofFXb7GJYgbFhsWodAPZliD4=
-----END PUBLIC KEY-----
"""

GOLDEN = {
    "rsa-2048": RSA_2048,
    "rsa-4096": RSA_4096,
    "ed25519": ED25519,
    "p-256": P_256,
    "p-384": P_384,
    "p-521": P_521,
}
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
    "bits that are no bytes": (
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
