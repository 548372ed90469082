"""Run the application in a cheroot server on a local port, optionally with TLS."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from errno import EACCES, EADDRINUSE
from functools import partial
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server, has_dualstack_ipv6
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TextIO

from omisim.base.hosts import is_loopback, parse_host
from omisim.base.process import close_at_exit
from omisim.clients.environment import make_credentials
from omisim.clients.proxies import bypass_proxy
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.server.access import Access
from omisim.server.app import App
from omisim.server.clouds import Clouds
from omisim.server.framing import Limits
from omisim.server.limited_server import LimitedServer, TlsAdapter

__all__ = ["Limits", "Running", "run_server"]

LOOPBACK = "127.0.0.1"
LAST_PORT = 65535
THREADS = 16
START_SECONDS = 60  # in which a server has started
_TOKEN = re.compile(r"[!-~]+")
_NAME = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)


class Running:
    """A running server: its `url`, the `token` of its control plane and, with TLS, the path `ca` of the certificate."""

    def __init__(self, app: App, url: str, token: str, ca: str | None) -> None:
        self._app = app
        self.url = url
        self.token = token
        self.ca = ca

    def __repr__(self) -> str:
        """Show the address, and no token."""
        return f"<server at {self.url}>"

    @property
    def cloud(self) -> Cloud:
        """The served cloud."""
        return self._app.cloud

    @property
    def clouds(self) -> Clouds:
        """All clouds of the server: `clouds.create(name="job-7").cloud` is another one, isolated from `cloud`."""
        return self._app.clouds

    def env(self, account: Account) -> dict[str, str]:
        """Return the environment variables with which OUTSCALE's clients and boto3 reach the server as this account.

        Raises ValueError for an account of a cloud that the server does not have.
        """
        if not isinstance(account, Account) or self.clouds.find_by_key(account.access_key) is None:
            raise ValueError(f"account must be one of the served cloud (server.cloud.account(name)), not {account!r}")
        return _list_variables(self.url, self.ca, account)


def _list_variables(url: str, ca: str | None, account: Account, host: str = "") -> dict[str, str]:
    """Return the variables for the clients of an account. `host` is the Host header with which they were requested."""
    if host and parse_host(host) is None:  # a name of OUTSCALE selects a service, which would override the path
        url = f"{url.partition('://')[0]}://{host}"
    variables = make_credentials(account) | {
        "AWS_ENDPOINT_URL_EC2": f"{url}/fcu",
        "AWS_ENDPOINT_URL_S3": f"{url}/oos/{account.region}",
        "OSC_ENDPOINT_API": f"{url}/api/v1",
    }
    variables |= bypass_proxy(url)
    trust = {"REQUESTS_CA_BUNDLE": ca, "AWS_CA_BUNDLE": ca, "SSL_CERT_FILE": ca} if ca else {}
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
    limits: Limits | None = None,
    hosts: Collection[str] = (),
) -> Iterator[Running]:
    """Serve a cloud until the context exits.

    Args:
        cloud: The cloud to serve.
        port: The TCP port; 0 picks a free one.
        host: The address to listen on; the loopback address by default.
        tls: True for a generated certificate, or the paths of a certificate and its key.
        token: The token of the control plane; a random one by default.
        log: A file that gets a line of JSON per request.
        record: A file that gets the exchanges of the API, for `omisim replay`.
        fresh: Creates the cloud that a reset returns to; by default the cloud itself is reset.
        limits: What a client may use; see `Limits` for the defaults.
        hosts: Names of the server, besides addresses, localhost, OUTSCALE's names and `host`.

    Raises OSError if the port is in use, and ValueError for an invalid port or certificate, and for an address that
    other machines reach without a token of the caller's choice and `auth="strict"`.
    """
    _check_arguments(cloud, port, host, token)
    _check_names(hosts)
    token = token or secrets.token_hex(32)  # never begins with a dash, as an option does
    access = Access(token, "https" if tls else "http", {host, *hosts})
    limits = limits or Limits()
    app = App(cloud, token, log, record, fresh, access, limits.clouds)
    with ExitStack() as stack:
        server = LimitedServer((_find_address(host, port), port), app.answer, THREADS, limits)
        server.shutdown_timeout = 1
        server.expiration_interval = 0.02  # seconds between two checks for a stop
        ca = None
        if tls:
            files, ca = (tls, tls[0]) if isinstance(tls, tuple) else _issue_certificate(stack, {host, *hosts})
            ca = str(Path(ca).absolute())  # clients run in other directories
            server.ssl_adapter = _make_tls_adapter(*files)
        server.prepare()
        thread = Thread(target=server.serve, name="omisim", daemon=True)
        thread.start()
        stack.callback(_stop, app, server, thread)
        close_at_exit(stack)
        server.serving.wait(START_SECONDS)  # a thread that began later would seem to be one of the code under test
        running = Running(app, _make_url(host, server.bind_addr[1], is_secure=bool(tls)), token, ca)
        app.shared.env = partial(_list_variables, running.url, ca)  # `Running.env` takes the locks of other clouds
        yield running


def _stop(app: App, server: LimitedServer, thread: Thread) -> None:
    app.shared.streams.stopping.set()
    server.stop()
    thread.join()


def _check_arguments(cloud: Cloud, port: int, host: str, token: str | None) -> None:
    """Raise ValueError for an invalid argument, and for letting other machines in without a signature and a token."""
    if type(port) is not int or not 0 <= port <= LAST_PORT:
        raise ValueError(f"port must be an int from 0 to {LAST_PORT}, not {port!r}")
    if not (isinstance(host, str) and host.isprintable()):  # Python does not look it up
        raise ValueError(f"host must be an address or a name, not {host!r}")
    if not is_loopback(host):
        if cloud.engine.settings.auth != "strict":
            raise ValueError(f"host {host} lets other machines in, which needs auth='strict'")
        if not token:
            raise ValueError(f"host {host} lets other machines in, which needs a token of your choice (--token)")
    if token and not (isinstance(token, str) and _TOKEN.fullmatch(token)):
        raise ValueError(f"token must consist of visible ASCII characters, as a header transmits them, not {token!r}")


def _check_names(hosts: Collection[str]) -> None:
    """Raise ValueError for a name of the server that no Host header contains, such as a URL or a name with a port."""
    for name in hosts:
        if not _NAME.fullmatch(name):
            raise ValueError(f"--allow-host must be a name without a port, such as omisim.example, not {name!r}")


def _make_url(host: str, port: int, *, is_secure: bool) -> str:
    """Return the URL by which this machine reaches a server that listens on a host."""
    reachable_host = host if host not in ("0.0.0.0", "::") else LOOPBACK  # noqa: S104 - a comparison
    netloc = f"[{reachable_host}]" if ":" in reachable_host else reachable_host
    return f"{'https' if is_secure else 'http'}://{netloc}:{port}"


def _find_address(host: str, port: int) -> str:
    """Return the address of a host. Raises OSError if the port is in use or the host is invalid."""
    family = AF_INET6 if ":" in host else AF_INET
    is_dual = host == "::" and has_dualstack_ipv6()  # it takes the port of IPv4 too
    try:
        with create_server((host, port), family=family, dualstack_ipv6=is_dual) as listening:
            return str(listening.getsockname()[0])
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        more = "; port 0 picks a free one" if error.errno in (EADDRINUSE, EACCES) else ""
        raise OSError(error.errno, f"cannot listen on {host}, port {port}: {reason}{more}") from None


def _make_tls_adapter(certificate: str, key: str) -> TlsAdapter:
    try:
        return TlsAdapter(certificate, key)
    except OSError as error:  # a file that cannot be read, or another SSLError
        reason = error.strerror or error
        raise ValueError(f"{certificate} and {key} must be a PEM certificate and its key: {reason}") from None


def _issue_certificate(stack: ExitStack, hosts: Collection[str]) -> tuple[tuple[str, str], str]:
    """Issue a certificate for this machine and for hosts; return its path, that of its key, and that of the CA."""
    try:
        import trustme  # noqa: PLC0415 - only TLS needs it
    except ImportError as error:
        raise ImportError("a generated certificate needs trustme: pip install 'omisim[server]'") from error
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="omisim-")))
    authority = trustme.CA()
    names = dict.fromkeys(["localhost", LOOPBACK, "*.outscale.com", *hosts])
    certificate = authority.issue_cert(*names)
    certificate.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    return (str(directory / "cert.pem"), str(directory / "key.pem")), str(directory / "ca.pem")
