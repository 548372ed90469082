"""`omisim serve`, and `env` and `dump`, which ask a running server."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from omisim.base.foreign import parse_count
from omisim.tools.look import add_cloud_options
from omisim.tools.output import AUTH_MODES, TIMINGS, add_command, report_error

__all__ = ["add_server_commands"]

PORT, LAST_PORT = 8333, 65535


def add_server_commands(commands: Any) -> None:
    """Add the parsers of the commands."""
    serve = add_command(commands, "serve", "run a server for clients in any language", _serve)
    serve.add_argument("--port", type=_parse_port, default=PORT, help=f"the port; 0 picks a free one (default {PORT})")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: loopback only)")
    account = "make an account, with an access key of your choice; repeatable (default alice)"
    serve.add_argument("--account", action="append", metavar="NAME[@REGION][:AK:SK]", help=account)
    serve.add_argument(
        "--scenario", metavar="NAME|FILE", help="set up the cloud by a scenario: a shipped one, or a TOML file"
    )
    serve.add_argument("--seed", help="the seed of generated ids and keys (default: random)")
    names = "a name by which other machines reach the server; repeatable"
    serve.add_argument("--allow-host", action="append", default=[], metavar="NAME", help=names)
    serve.add_argument("--timing", choices=TIMINGS, help="default eager, or the scenario's")
    serve.add_argument("--auth", choices=AUTH_MODES, help="default strict, or the scenario's")
    serve.add_argument("--switches", metavar="FILE", help="the switches of the cloud, for example of `omisim probe`")
    serve.add_argument("--state", metavar="FILE", help="keep the cloud in this file, which survives kill -9")
    serve.add_argument("--tls", action="store_true", help="use HTTPS with a generated certificate")
    serve.add_argument("--tls-cert", metavar="FILE", help="use HTTPS with this certificate")
    serve.add_argument("--tls-key", metavar="FILE", help="the key of the certificate")
    token = os.environ.get("OMISIM_TOKEN") or None
    serve.add_argument("--token", default=token, help="the token of the control plane (default OMISIM_TOKEN or random)")
    serve.add_argument("--log", metavar="FILE", help="write a line of JSON per request; - is standard error")
    serve.add_argument("--record", metavar="FILE", help="record the exchanges of the API, for `omisim replay`")
    serve.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="a limit on clients, for example body=1048576; repeatable",
    )
    serve.refuse_useless("--tls", why="beside --tls-cert", when=lambda options: options.tls_cert)
    env = add_command(commands, "env", "print the `export` lines for clients of a running server", _env)
    env.add_argument("account", metavar="ACCOUNT", nargs="?", default="alice", help="the account (default alice)")
    _add_server_options(env)
    dump = add_command(commands, "dump", "print the cloud of a running server as JSON, without its secrets", _dump)
    dump.add_argument("--secrets", action="store_true", help="include keys and passwords, which `load` restores")
    _add_server_options(dump)


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a running server, and one of its clouds."""
    address = f"http://127.0.0.1:{PORT}"
    parser.add_argument(
        "--url", default=os.environ.get("OMISIM_URL", address), help=f"default OMISIM_URL, or {address}"
    )
    add_cloud_options(parser)


def _parse_port(text: str) -> int:
    try:
        return parse_count(text, LAST_PORT)
    except ValueError:
        raise argparse.ArgumentTypeError(f"port must be a number from 0 to {LAST_PORT}, not {text}") from None


def _serve(options: argparse.Namespace) -> int:
    if bool(options.tls_cert) != bool(options.tls_key):
        return report_error("serve", "--tls-cert and --tls-key must go together")
    try:
        from omisim.tools.serve import serve
    except ImportError as error:
        return report_error("serve", f"{error}; pip install 'omisim[server]'")
    return serve(options)


def _env(options: argparse.Namespace) -> int:
    from omisim.clients.proxies import bypass_proxy
    from omisim.server.client import Client, render_exports

    try:
        client = Client(options.url, options.token, options.cloud)
        accounts = client.get("accounts")
        variables = {account["name"]: account["env"] for account in accounts}
        if options.account not in variables:
            return report_error("env", f"unknown account {options.account!r}; known: {', '.join(variables)}")
        own = bypass_proxy(options.url)  # of this shell, not of the server's
        own |= {"OMISIM_URL": client.url} | ({"OMISIM_CLOUD": options.cloud} if options.cloud else {})
        text = render_exports(variables[options.account] | own)
    except (KeyError, TypeError):
        return report_error("env", f"{options.url} is not an omisim server: it lists no accounts")
    except (OSError, ValueError) as error:
        return report_error("env", error)
    print(text)
    return 0


def _dump(options: argparse.Namespace) -> int:
    from omisim.server.client import Client

    try:
        client = Client(options.url, options.token, options.cloud)
        data = client.get("dump", **({"secrets": "true"} if options.secrets else {}))
    except (OSError, ValueError) as error:
        return report_error("dump", error)
    print(json.dumps(data))
    return 0
