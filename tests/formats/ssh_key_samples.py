"""SSH keys for tests: good ones in each format, and some that omisim refuses.

They were made once: by ssh-keygen (`-t`, then `-e -m RFC4716|PKCS8|PEM`; fingerprints by `-l -E md5`), and by openssl
what ssh-keygen does not write. So no test needs either program.
"""

from __future__ import annotations

from dataclasses import dataclass


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
