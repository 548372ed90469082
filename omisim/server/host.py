"""A server that runs: cheroot around the application, on a port of this machine, with TLS if wanted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server
from ssl import SSLError
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TextIO

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from omisim.clients.environment import credentials
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.server.app import App

__all__ = ["Running", "run_server"]

LOOPBACK = "127.0.0.1"
LAST_PORT = 65535
THREADS = 16


class _Connection(HTTPConnection):
    """Takes a path that begins with two slashes, as osc-cli sends it: in proxy mode cheroot leaves it alone."""

    RequestHandlerClass = staticmethod(partial(HTTPRequest, proxy_mode=True))  # from 3.14 on a bare one is a method


class Running:
    """A server at `url`. Its control plane wants `token`. `ca`: the file of the certificate to trust, with TLS."""

    def __init__(self, app: App, url: str, token: str, ca: str | None) -> None:
        self._app = app
        self.url = url
        self.token = token
        self.ca = ca

    @property
    def cloud(self) -> Cloud:
        """The cloud that is served."""
        return self._app.cloud

    def env(self, account: Account) -> dict[str, str]:
        """Return the environment variables by which OUTSCALE's clients and boto3 reach it as this account.

        Raises ValueError for an account that is not of the cloud that is served.
        """
        ours = isinstance(account, Account) and self.cloud.engine.state.find_by("account", "name", account.name)
        if not ours or self.cloud.account(account.name).access_key != account.access_key:
            raise ValueError(f"{account!r} is not of the cloud that is served: server.cloud.account(name) is")
        oos = f"{self.url}/oos/{account.region}"
        variables = credentials(account) | {"OSC_ENDPOINT_API": f"{self.url}/api/v1", "AWS_ENDPOINT_URL_S3": oos}
        trust = {"REQUESTS_CA_BUNDLE": self.ca, "AWS_CA_BUNDLE": self.ca, "SSL_CERT_FILE": self.ca} if self.ca else {}
        return variables | trust


@contextmanager
def run_server(
    cloud: Cloud,
    port: int = 0,
    host: str = LOOPBACK,
    *,
    tls: bool | tuple[str, str] = False,
    token: str | None = None,
    log: TextIO | None = None,
    record: TextIO | None = None,
    fresh: Callable[[], Cloud] | None = None,
) -> Iterator[Running]:
    """Serve a cloud until the context is left.

    Args:
        cloud: what to serve.
        port: where; 0 picks a free one.
        host: the address to listen at; this machine's loopback, unless told otherwise.
        tls: True for a certificate made for this server, or the files of a certificate and its key.
        token: what the control plane wants; a fresh one, unless told.
        log: where to write a line of JSON for each request.
        record: where to write the exchanges of the API, for `omisim replay`.
        fresh: makes the cloud that the control plane's reset goes back to; the cloud as it was made, unless told.

    Raises OSError when the port is taken, ValueError for what is no port and for files that are no certificate.
    """
    if type(port) is not int or not 0 <= port <= LAST_PORT:
        raise ValueError(f"a port is a number from 0 to {LAST_PORT}, not {port!r}")
    token = token or secrets.token_urlsafe(16)
    app = App(cloud, token, log, record, fresh)
    with ExitStack() as stack:
        server = Server((host, port), app, numthreads=THREADS, request_queue_size=128)
        server.shutdown_timeout = 1
        server.expiration_interval = 0.02  # seconds between two looks whether it is to stop
        ca = None
        if tls:
            files, ca = (tls, tls[0]) if isinstance(tls, tuple) else _certificate(stack, host)
            server.ssl_adapter = _adapter(*files)
        server.ConnectionClass = _Connection
        # cheroot loses a socket over a port that is taken, and over a host that is none
        create_server((host, port), family=AF_INET6 if ":" in host else AF_INET).close()
        server.prepare()
        thread = Thread(target=server.serve, name="omisim", daemon=True)
        thread.start()
        try:
            named = host if host not in ("0.0.0.0", "::") else LOOPBACK  # noqa: S104 - a comparison
            served = Running(app, f"{'https' if tls else 'http'}://{named}:{server.bind_addr[1]}", token, ca)
            app.control.env = served.env
            yield served
        finally:
            app.control.stopping.set()
            server.stop()
            thread.join()


def _adapter(certificate: str, key: str) -> BuiltinSSLAdapter:
    try:
        return BuiltinSSLAdapter(certificate, key)
    except SSLError as error:
        raise ValueError(f"{certificate} and {key} are no certificate in PEM and its key: {error}") from error


def _certificate(stack: ExitStack, host: str) -> tuple[tuple[str, str], str]:
    """Make a certificate for this machine; return its files, and that of the authority to trust."""
    import trustme  # noqa: PLC0415 - only TLS needs it

    place = Path(stack.enter_context(TemporaryDirectory(prefix="omisim-")))
    authority = trustme.CA()
    made = authority.issue_cert("localhost", "127.0.0.1", "*.outscale.com", *({host} - {"localhost", "127.0.0.1"}))
    made.cert_chain_pems[0].write_to_path(str(place / "cert.pem"))
    made.private_key_pem.write_to_path(str(place / "key.pem"))
    authority.cert_pem.write_to_path(str(place / "ca.pem"))
    return (str(place / "cert.pem"), str(place / "key.pem")), str(place / "ca.pem")
