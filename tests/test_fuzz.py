"""Bytes from outside, at every place that reads them: an answer or a named error, soon, and nothing kept.

Each test is a target of `tests/tools/fuzz.py`, which drives it with atheris. Here, Hypothesis draws a few examples.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import math
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from omisim import ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.formats.disk_image import HEADER, HEADER_EXTENSION, QCOW2, BadImage, decode
from omisim.formats.manifest import parse_manifest
from omisim.formats.recording import exchanges
from omisim.model.serialize import api_name
from omisim.pytest_plugin import ini
from omisim.server.app import App
from omisim.server.endpoints import ENDPOINTS
from omisim.server.framing import Limits, RequestBuffer
from omisim.server.http_error import HttpError
from omisim.tools import cli, serve
from omisim.tools.scenario.reading import load_scenario

HISTORY = 50
limits = {"seconds": math.inf}  # of the processor, for one input; the tool sets it, for a suite must not depend on time
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SCENARIO = (Path(__file__).parents[1] / "fixtures/scenarios/shared-image.toml").read_text("utf-8")
names = st.sampled_from(sorted(ACTIONS))
texts = st.text(max_size=60) | st.sampled_from(["²", "9" * 50, "Infinity", "1e999", "\r\n", "http://[", "9999-12-31"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@cache
def make_front(auth: Any) -> FrontDoor:
    """Return the doors of a small cloud with this authentication, which all examples share."""
    cloud = Cloud(auth=auth, history=HISTORY)
    alice = cloud.account("alice")
    alice.create_vms(image_id=cloud.images.official("debian").image_id)
    alice.client("oos").create_bucket(Bucket="bucket")
    return FrontDoor(cloud.engine)


@contextlib.contextmanager
def bounded(*errors: type[BaseException]) -> Iterator[None]:
    """Allow these errors alone, and a second at most where the tool runs."""
    start = time.process_time()
    with contextlib.suppress(*errors):
        yield
    assert time.process_time() - start < limits["seconds"]


def send(auth: str, service: str, request: HttpRequest) -> None:
    """Send a request to a service; check its answer, and that the history stays bounded."""
    front = make_front(auth)
    with bounded():
        response = front.handle(service, request, NOW)
        assert response.status < 500 or (service == "oos" and response.status == 501)
    assert len(front.engine.session.calls) <= 2 * HISTORY  # of refused calls, too
    assert len(front.engine.state.journal) <= 2 * HISTORY


@given(names, st.binary(max_size=300) | values.map(lambda value: json.dumps(value, default=str).encode()))
def test_json_body(action: str, body: bytes) -> None:
    """The OAPI door answers any body of any action. [REQ-004]"""
    send("off", "api", HttpRequest("POST", "api.eu-west-2.outscale.com", f"/api/v1/{action}", {}, body))


@cache
def make_parameters(action: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return the strategy of any values of the parameters that an action has."""
    known = [api_name(name) for name in ACTIONS[action].shape.all_fields]
    return st.dictionaries(st.sampled_from(known), values, max_size=4) if known else st.just({})


@given(names, st.data())
def test_json_parameters(action: str, data: st.DataObject) -> None:
    """The OAPI door answers any values of known parameters. [REQ-009]"""
    body = json.dumps(data.draw(make_parameters(action))).encode()
    send("off", "api", HttpRequest("POST", "api.eu-west-2.outscale.com", f"/api/v1/{action}", {}, body))


SIGNED = "OSC4-HMAC-SHA256 Credential={}/{}/{}/{}/osc4_request, SignedHeaders={}, Signature=" + "0" * 64


@given(st.lists(texts, min_size=5, max_size=5).map(lambda parts: SIGNED.format(*parts)) | texts, texts, texts, texts)
def test_signature(header: str, date: str, host: str, query: str) -> None:
    """The doors refuse any Authorization header, date, host and query string without a valid signature. [AUTH-005]"""
    headers = {"authorization": header, "x-osc-date": date, "x-amz-date": date}
    for service, path in (("api", "/api/v1/ReadVms"), ("fcu", "/"), ("oos", "/bucket/k")):
        send("strict", service, HttpRequest("GET", host, path, headers, b"", f"X-Amz-Algorithm={query}&{query}"))


@given(
    st.sampled_from(["RunInstances", "DescribeImages", "CreateVolume", "CreateTags", "X"]),
    texts,
    st.binary(max_size=300),
)
def test_ec2_query(action: str, name: str, body: bytes) -> None:
    """The FCU door answers any form. [FCU-006]"""
    form = f"Action={action}&Version=2016-11-15&{name}=1&Filter.1.Name={name}&Filter.1.Value.1=".encode(
        errors="replace"
    )
    send("off", "fcu", HttpRequest("POST", "fcu.eu-west-2.outscale.com", "/", {}, form + body))


METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"])
HEADERS = st.sampled_from(
    (
        *("range", "content-type", "content-md5", "if-match", "if-modified-since", "x-amz-acl", "x-amz-copy-source"),
        *("content-length", "x-amz-meta-a", "x-amz-decoded-content-length", "content-encoding"),
        *("x-amz-content-sha256", "x-amz-checksum-crc32"),
    )
)
QUERIES = st.sampled_from(
    ("", "acl", "uploads", "uploadId=1&partNumber=1", "delete", "max-keys=", "list-type=2&prefix=")
)


@given(METHODS, texts, QUERIES, texts, st.dictionaries(HEADERS, texts, max_size=3), st.binary(max_size=100))
def test_storage_request(method: str, key: str, query: str, more: str, headers: dict[str, str], body: bytes) -> None:
    """Object storage answers any request. [OOS-006]"""
    request = HttpRequest(method, "oos.eu-west-2.outscale.com", f"/bucket/{key}", headers, body, query + more)
    send("off", "oos", request)


@given(st.sampled_from(sorted(ENDPOINTS)), values, texts)
def test_control_plane(endpoint: tuple[str, str], value: Any, query: str) -> None:
    """The control plane answers any parameters with 200, 400 or, for an unknown cloud, 404."""
    method, name = endpoint
    known = ENDPOINTS[endpoint].parameters or {}
    body = json.dumps(dict.fromkeys(known, value), default=str).encode()
    control = App(Cloud(history=HISTORY), "t").control
    with bounded():
        response = control.handle(HttpRequest(method, "", f"/_omisim/{name}", {"x-omisim-token": "t"}, body, query))
        assert isinstance(response, HttpResponse)
        assert response.status in (200, 400, 404)


@given(st.binary(max_size=300) | values.map(lambda value: json.dumps({"Version": 1, "Image": value}).encode()))
def test_manifest(text: bytes) -> None:
    """A manifest is read, or refused by a rule. [IMP-003]"""
    with bounded(ApiError):
        parse_manifest(text)


numbers = st.integers(0, 2**64 - 1) | st.integers(0, 2**17) | st.sampled_from([2**16, 2**17])


@given(st.lists(numbers, min_size=13, max_size=13), st.binary(max_size=300), st.sampled_from([None, "qcow2"]))
def test_disk_image(fields: list[int], rest: bytes, form: Any) -> None:
    """A qcow2 image with any header and tables, and any other bytes, are read or refused. [IMP-006]"""
    sizes = (32, 64, 32, 32, 64, 32, 32, 64, 64, 32, 32, 64)
    fixed = [field % 2**size for field, size in zip(fields, sizes, strict=False)]
    fixed[0], fixed[3] = fixed[0] % 4, fixed[3] % 24  # mostly a known version and cluster size
    header = HEADER.pack(QCOW2, *fixed) + HEADER_EXTENSION.pack(fields[12] % 2, 0, 0, 4, 104)
    with bounded(BadImage):
        decode(header + rest, form)
    with bounded(BadImage):
        decode(rest, form)


@cache
def make_dump() -> str:
    """Return a small dump as JSON."""
    cloud = Cloud()
    alice = cloud.account("alice")
    alice.create_volume(size=1, subregion_name="eu-west-2a")
    return json.dumps(cloud.dump(), sort_keys=True)


@given(st.integers(0), st.integers(0, 40), texts | st.sampled_from(["null", "{}", "[]", "0", "true", '"x"', "1e999"]))
def test_dump(at: int, count: int, new: str) -> None:
    """A dump in which any part of the text is replaced is loaded, or refused by a ValueError. [REQ-004]"""
    text = make_dump()
    start = at % len(text)
    with contextlib.suppress(ValueError, RecursionError):
        data = json.loads(text[:start] + new + text[start + count :])
        Cloud.load(data)


@given(st.integers(0), st.integers(0, 40), texts)
def test_scenario(at: int, count: int, new: str) -> None:
    """A scenario in which any part of the text is replaced is set up, or refused by a ValueError."""
    start = at % len(SCENARIO)
    with TemporaryDirectory() as folder, contextlib.suppress(ValueError):
        file = Path(folder) / "x.toml"
        file.write_bytes((SCENARIO[:start] + new + SCENARIO[start + count :]).encode(errors="replace"))
        load_scenario(file, {})


@given(
    st.text(max_size=200)
    | values.map(lambda value: json.dumps({"path": "/a", "status": 200, "req": value, "res": value}))
)
def test_recording(line: str) -> None:
    """A line of a recording is read, or refused by a ValueError."""
    with bounded(ValueError):
        list(exchanges([line]))


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\r\n\r\n", b"POST / HTTP/1.1\r\n", b"0\r\n"]), max_size=6))
def test_framing(pieces: list[bytes]) -> None:
    """Any bytes on a connection are requests, or rejected."""
    buffer = RequestBuffer(Limits(body=100, head=200))
    with bounded(HttpError):
        for piece in pieces:
            buffer.feed(piece)
            while buffer.take() is not None:
                pass
    assert len(buffer) <= sum(map(len, pieces))


OPTIONS = st.sampled_from(
    ["--port", "--account", "--limit", "--timing", "--auth", "--seed", "--allow-host", "--tls", "x"]
)


parsers = cache(cli.parsers)  # they take longer to build than a command line to read


@given(st.lists(st.tuples(OPTIONS, texts).map("=".join) | OPTIONS | texts, max_size=4))
def test_command_line(words: list[str]) -> None:
    """Options of `serve` are read, or refused by an exit status of 2 or a ValueError."""
    with bounded(ValueError), contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            options = parsers()["serve"].parse_args(words)
        except SystemExit as error:
            assert error.code in (0, 2)  # noqa: PT017 - argparse exits
            return
        serve.parse_limits(options.limit)
        for account in options.account or ():
            serve.add_account(Cloud(), account)


@given(st.sampled_from(sorted(ini.PARSERS)), texts)
def test_ini_option(name: str, text: str) -> None:
    """The text of an ini option is read, or refused by a ValueError."""
    with bounded(ValueError):
        ini.PARSERS[name]([text] if name == "switches" else text)


MARKER = st.sampled_from(["seed", "timing", "clock", "switches", "catalog", "auth", "history", "unserved", "licences"])


@given(st.dictionaries(MARKER, values, max_size=2))
def test_marker_option(options: dict[str, Any]) -> None:
    """The options of the marker, which are those of Cloud, are taken, or refused by a ValueError or a TypeError."""
    with bounded(ValueError, TypeError):
        Cloud(**options).account("alice").create_volume(size=1, subregion_name="eu-west-2a")
