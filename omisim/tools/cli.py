"""The command line: `omisim <command>`."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omisim import __version__
from omisim.base.home import find_home
from omisim.base.hosts import DEFAULT_REGION
from omisim.base.private_file import write_private
from omisim.base.suggest import suggest
from omisim.tools.look import add_source, add_views
from omisim.tools.model_commands import add_model_commands
from omisim.tools.output import INTERRUPTED, TIMINGS, CommandParser, add_command, report_error
from omisim.tools.probe.options import add_options
from omisim.tools.server_commands import add_server_commands

__all__ = ["main", "parsers"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    _replace_closed_streams()
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    if options.command is None:
        parsers()["omisim"].print_help()
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):  # write what its encoding lacks as standard error does
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return report_error(options.command, "stopped", INTERRUPTED)
    except BrokenPipeError:  # the reader, for example `head`, has closed the pipe
        sys.stderr.close()
        return 0
    except OSError as error:
        with suppress(OSError):  # or the interpreter tries again to write the rest when it ends
            sys.stdout.close()
        return report_error(options.command, error)
    return status


def _replace_closed_streams() -> None:
    """Open the null device in place of each standard stream that the caller has closed, which Python sets to None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - open until the process ends
            setattr(sys, name, stream)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; exit with status 2 and a suggestion where a command or an option is mistyped."""
    commands = parsers()
    parser = commands["omisim"]
    if arguments and arguments[0] == "help":
        arguments = [*arguments[1:2], "--help"]
    name = arguments[0] if arguments else "--help"
    if not name.startswith("-") and name not in commands:
        known_names = [name for name in commands if name != "omisim"]
        parser.error(f"unknown command {name!r} (commands: {', '.join(known_names)}){suggest(name, known_names)}")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser = commands[options.command or "omisim"]
        known_options = re.findall(r"--[a-z-]+", parser.format_help())
        hint = suggest(unknown[0].partition("=")[0], known_options) if unknown[0].startswith("-") else ""
        parser.error(
            f"unrecognized arguments: {' '.join(unknown)}{hint or f'; {parser.prog} --help shows its options'}"
        )
    return options


def parsers() -> Mapping[str, CommandParser]:
    """Return the parser of `omisim`, and the parser of each command, by name."""
    parser = CommandParser(prog="omisim", description="A simulator of OUTSCALE machine images (OMIs).")
    parser.add_argument("--version", action="version", version=f"omisim {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    _add_demo(commands)
    _add_tour(commands)
    add_model_commands(commands)
    add_server_commands(commands)
    replay = add_command(
        commands, "replay", "replay a recording against a new cloud, and report the differences", _replay
    )
    replay.add_argument("file", metavar="FILE", help="a recording of `serve --record`, one JSON object per line")
    replay.add_argument("--accept", metavar="FILE", help="a TOML file of accepted divergences with their reasons")
    replay.add_argument("--fill", metavar="FILE", help="a TOML file of values for redactions")
    replay.add_argument("--values", action="store_true", help="compare enums, booleans, numbers and texts, too")
    replay.add_argument("--region", help=f"the Region of exchanges that name none (default {DEFAULT_REGION})")
    replay.add_argument("--timing", choices=TIMINGS, default="eager", help="default eager")
    replay.add_argument("--json", action="store_true", help="print JSON")
    _add_check(commands)
    probe = add_command(
        commands, "probe", "measure an endpoint: whether it behaves as each rule of the model says", _probe
    )
    add_options(probe)
    add_views(commands)
    doctor = add_command(commands, "doctor", "check the installation and the environment, and say what to do", _doctor)
    doctor.add_argument("--json", action="store_true", help="print JSON")
    return {"omisim": parser, **commands.choices}


def _add_demo(commands: Any) -> None:
    demo = add_command(commands, "demo", "run a golden-image pipeline with three accounts, through the real SDK", _demo)
    demo.add_argument("--json", action="store_true", help="print the transcript and the lineage as JSON")
    demo.add_argument("--step", action="store_true", help="wait for Enter before each step")
    demo.add_argument("--svg", metavar="FILE", help="write a picture of an excerpt, the one that README shows")
    demo.refuse_useless("--json", "--step", why="beside --svg", when=lambda options: options.svg)
    demo.refuse_useless("--step", why="beside --json", when=lambda options: options.json)


def _add_tour(commands: Any) -> None:
    tour = add_command(commands, "tour", "learn the OMI model in ten short lessons", _tour)
    tour.add_argument("--lesson", type=int, metavar="N", help="only this lesson (default: those not read yet)")
    tour.add_argument("--yes", action="store_true", help="run without pauses")
    tour.add_argument("--list", action="store_true", help="list the lessons and the progress")
    tour.add_argument("--restart", action="store_true", help="forget the progress, and begin with lesson 1")
    tour.add_argument(
        "--check",
        nargs="?",
        const="",
        metavar="SCRIPT",
        help="judge whether a script, or a cloud, reaches the goal",
    )
    add_source(tour)
    sources = ("--scenario", "--state", "--url", "--token", "--cloud")
    tour.refuse_useless(*sources, why="without --check", when=lambda options: options.check is None)
    tour.refuse_useless(*sources, why="beside a SCRIPT", when=lambda options: options.check)
    others = ("--list", "--yes", "--restart")
    tour.refuse_useless(*others, why="beside --check", when=lambda options: options.check is not None)
    tour.refuse_useless("--lesson", "--yes", why="beside --list", when=lambda options: options.list)


def _tour(options: argparse.Namespace) -> int:
    try:
        from omisim.tools.tour.command import run

        return run(options)
    except (OSError, ValueError) as error:
        return report_error("tour", error)
    except EOFError:  # the student has closed standard input
        return report_error("tour", "stopped", INTERRUPTED)
    except ImportError as error:
        return report_error("tour", f"{error}; pip install 'omisim[all]' installs what the tour needs")


def _add_check(commands: Any) -> None:
    check = add_command(
        commands, "check", "visit every state that calls can reach, and check every law in each", _check
    )
    check.add_argument("--accounts", type=int, metavar="N", help="accounts per Region (default 2)")
    check.add_argument("--regions", type=int, metavar="N", help="Regions (default 2)")
    check.add_argument("--scenario", metavar="NAME|FILE", help="begin with the cloud of a scenario and its accounts")
    check.add_argument(
        "--never",
        action="append",
        default=[],
        metavar="STATEMENT",
        help="find a shortest history that makes this expression true, or that this rule refuses; repeatable",
    )
    check.add_argument(
        "--images", type=int, default=2, metavar="N", help="the maximum number of OMIs, of VMs, … (default 2)"
    )
    check.add_argument("--depth", type=int, default=3, metavar="N", help="the maximum number of calls (default 3)")
    check.add_argument("--workers", type=int, metavar="N", help="processes (default 1)")
    check.add_argument("--dask", metavar="ADDRESS", help="share the work among a cluster: tcp://scheduler:8786")
    check.add_argument("--json", action="store_true", help="print JSON")
    why = "beside --scenario, which has its own accounts"
    check.refuse_useless("--accounts", "--regions", why=why, when=lambda options: options.scenario)
    why = "beside --dask, whose cluster has its own workers"
    check.refuse_useless("--workers", why=why, when=lambda options: options.dask is not None)


def _check(options: argparse.Namespace) -> int:
    from omisim.tools.check.command import run

    try:
        return run(options)
    except (ImportError, ValueError, ChildProcessError) as error:
        return report_error("check", error)


def _probe(options: argparse.Namespace) -> int:
    from omisim.tools.probe.command import run

    return run(options)


def _replay(options: argparse.Namespace) -> int:
    from omisim.tools.replay.command import run

    return run(options)


def _demo(options: argparse.Namespace) -> int:
    try:
        from omisim.tools.demo import play, show
        from omisim.tools.demo.picture import draw

        story = play()
        if options.svg:
            write_private(options.svg, draw(story))
        elif options.json:
            print(json.dumps(story.to_dict(), indent=2))
        else:
            waits = options.step and sys.stdin.isatty()
            if waits:
                print("Enter shows the next step, Ctrl-C ends the demo.\n")
            show(story, pause=input if waits else lambda: None)
    except OSError as error:
        return report_error("demo", error)
    except EOFError:  # standard input is closed
        return report_error("demo", "stopped", INTERRUPTED)
    except ImportError as error:  # rich, the SDK, boto3 or moto
        return report_error("demo", f"{error}; pip install 'omisim[all]' installs what the demo needs")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from omisim.tools import doctor

    findings = list(doctor.diagnose(os.environ, find_home()))
    data = [asdict(finding) for finding in findings]
    print(json.dumps(data, indent=2) if options.json else "\n".join(map(str, findings)))
    return int(any(finding.grade == "problem" for finding in findings))
