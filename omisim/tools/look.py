"""`omisim lineage`, `timeline` and `who-can`: views of a scenario, of a file, or of a running server."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from omisim.base.suggest import suggest
from omisim.tools.output import CommandParser, add_command, get_width, print_text, report_error

if TYPE_CHECKING:
    from omisim.cloud.cloud import Cloud

__all__ = ["add_cloud_options", "add_source", "add_views", "open_cloud"]

_ID = re.compile(r"-[0-9a-f]{8}")


def add_views(commands: Any) -> None:
    """Add the parsers of the commands."""
    lineage = _add(commands, "lineage", _lineage, "show what a resource was made from, and what was made from it")
    lineage.add_argument(
        "id", metavar="ID", help="the id of a resource, its name in the scenario, or the name of an OMI"
    )
    lineage.add_argument("--format", choices=("text", "mermaid", "svg", "json"), default="text", help="default text")
    lineage.add_argument(
        "--most", type=int, default=500, metavar="N", help="at most N ancestors and N descendants (default 500)"
    )
    timeline = _add(commands, "timeline", _timeline, "show the changes of resources, with their causes")
    timeline.add_argument("id", metavar="ID", nargs="?", help="the id or name of a resource; default: all")
    timeline.add_argument("--account", metavar="NAME", help="only resources of this account")
    timeline.add_argument("--json", action="store_true", help="print JSON")
    who_can = _add(commands, "who-can", _who_can, "show which account may do what with an OMI, and the rules")
    who_can.add_argument("id", metavar="ID", help="the id of an OMI, or its name")
    who_can.add_argument("--json", action="store_true", help="print JSON")


def _add(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> CommandParser:
    parser = add_command(commands, name, text, lambda options: _report(name, run, options))
    add_source(parser)
    return parser


def add_source(parser: CommandParser) -> None:
    """Add the options that choose a cloud for `open_cloud`."""
    sources = parser.add_mutually_exclusive_group()
    sources.add_argument("--scenario", metavar="NAME|FILE", help="a new cloud, set up by a scenario")
    sources.add_argument("--state", metavar="FILE", help="the file of `omisim serve --state`, or a JSON dump")
    sources.add_argument("--url", default=os.environ.get("OMISIM_URL"), help="a running server (default OMISIM_URL)")
    add_cloud_options(parser)
    of_server = ("--token", "--cloud")
    parser.refuse_useless(*of_server, why="beside --scenario", when=lambda options: options.scenario)
    parser.refuse_useless(*of_server, why="beside --state", when=lambda options: options.state)


def add_cloud_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose one of the clouds of a running server."""
    token, cloud = os.environ.get("OMISIM_TOKEN", ""), os.environ.get("OMISIM_CLOUD") or None
    parser.add_argument("--token", default=token, help="the token of the server (default OMISIM_TOKEN)")
    parser.add_argument("--cloud", default=cloud, help="which of its clouds (default OMISIM_CLOUD, or the first)")


def _report(name: str, run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    try:
        return run(options)
    except (OSError, ValueError) as error:
        return report_error(name, error)


def open_cloud(options: argparse.Namespace) -> Cloud:
    """Return the cloud that the options choose. Raises ValueError without one, and OSError for an unreadable file."""
    from omisim.cloud.cloud import Cloud

    if options.scenario:
        return Cloud.from_scenario(options.scenario)
    if options.state:
        from omisim.server.state_file import read_state_file

        return read_state_file(options.state)
    if options.url:
        from omisim.server.client import Client

        return Cloud.load(Client(options.url, options.token, options.cloud).get("dump"))
    raise ValueError("choose a cloud with --scenario NAME, --state FILE or --url URL")


def _find_id(cloud: Cloud, name: str) -> str:
    """Return the id of the resource that has a name in the scenario, or of the OMI with this name; else the name.

    A deleted OMI is found if no other one has its name now.

    Raises ValueError for the name of several OMIs, and for one that resembles a known name.
    """
    state = cloud.engine.state
    named = state.get("name", name)
    ids = [named] if named else [image.image_id for image in state.find_by("image", "image_name", name)]
    if not ids:
        origins = state.rows("origin").items()
        ids = [row_id for row_id, origin in origins if origin.kind == "image" and origin.label == name]
    if len(ids) > 1:
        raise ValueError(f"several OMIs have the name {name!r}: {', '.join(ids)}; choose one by its id")
    if not ids and not _ID.search(name):
        known_names = [*state.rows("name"), *(image.image_name for image in state.rows("image").values())]
        if suggestion := suggest(name, known_names):
            raise ValueError(f"no resource has the id or name {name!r}{suggestion}")
    return str(ids[0]) if ids else name


def _lineage(options: argparse.Namespace) -> int:
    cloud = open_cloud(options)
    lineage = cloud.lineage(_find_id(cloud, options.id), options.most)
    views: dict[str, Callable[[], str]] = {
        "text": lambda: lineage.text(get_width()),
        "mermaid": lineage.mermaid,
        "svg": lineage.svg,
        "json": lambda: json.dumps(lineage.to_dict(), indent=2),
    }
    try:
        text = views[options.format]()
    except RecursionError:
        raise ValueError("the lineage has too many generations for JSON: choose fewer with --most") from None
    return _print(text)


def _timeline(options: argparse.Namespace) -> int:
    cloud = open_cloud(options)
    changes = cloud.timeline(_find_id(cloud, options.id) if options.id else None, account=options.account)
    if options.json:
        rows = [{"at": str(c.at), "kind": c.kind, "id": c.id, "what": c.describe(), "cause": c.cause} for c in changes]
        return _print(json.dumps(rows, indent=2))
    return _print(changes.text(get_width()))


def _who_can(options: argparse.Namespace) -> int:
    cloud = open_cloud(options)
    access = cloud.who_can(_find_id(cloud, options.id))
    if options.json:
        cells = {name: {right: asdict(cell) for right, cell in row.items()} for name, row in access.cells.items()}
        return _print(json.dumps(cells, indent=2))
    return _print(access.text(get_width()))


def _print(text: str) -> int:
    print_text(text.rstrip("\n"))
    return 0
