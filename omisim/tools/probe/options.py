"""The options of `omisim probe`."""

from __future__ import annotations

from omisim.tools.output import CommandParser

__all__ = ["add_options"]


def add_options(probe: CommandParser) -> None:
    """Add the options of the command."""
    probe.add_argument(
        "endpoint", metavar="ENDPOINT", nargs="?", help="the base URL of the API, with or without /api/v1"
    )
    probe.add_argument("--rule", action="append", default=[], help="only this rule; repeatable")
    probe.add_argument("--kind", default="", help="only rules of this kind of resource")
    probe.add_argument("--evidence", default="", help="only rules with this grade of evidence, for example inferred")
    probe.add_argument("--cheap", action="store_true", help="only experiments that create nothing: refusals and reads")
    probe.add_argument("--experiments", metavar="FILE", help="run the experiments of a TOML file instead of omisim's")
    probe.add_argument("--list", action="store_true", help="list the chosen rules with their experiments, and stop")
    probe.add_argument("--dry", action="store_true", help="print the plan with the bounds of its cost, and stop")
    probe.add_argument("--explore", type=int, metavar="N", help="compare N random histories with omisim, and stop")
    probe.add_argument("--seed", default="0", help="the seed of --explore (default 0)")
    probe.add_argument("--json", action="store_true", help="print one JSON document; progress goes to stderr")
    probe.add_argument("--html", metavar="FILE", help="write the report as an HTML page")
    probe.add_argument("--report", metavar="FILE", help="write the report as JSON; an interrupted one is resumed")
    probe.add_argument(
        "--calibrate", metavar="FILE", help="write the switches that make omisim agree with the endpoint"
    )
    probe.add_argument(
        "--switches", metavar="FILE", help="expect the behaviour of these switches, a file of --calibrate"
    )
    probe.add_argument("--profile", default="", help="the profile of ~/.osc/config.json (default: OSC_ACCESS_KEY, …)")
    probe.add_argument("--second-profile", default="", metavar="NAME", help="another account, for sharing")
    probe.add_argument("--third-profile", default="", metavar="NAME", help="an account in another Region")
    probe.add_argument("--region", default="", help="the Region of the account (default: OSC_REGION, or the host's)")
    probe.add_argument("--bucket", help="a bucket of the account, for exports (default: one that the probe creates)")
    probe.add_argument("--fcu", default="", metavar="URL", help="FCU (default: beside ENDPOINT; 'no': leave it out)")
    probe.add_argument("--oos", default="", metavar="URL", help="object storage, as --fcu")
    probe.add_argument("--max-resources", type=int, default=200, metavar="N", help="create at most N (default 200)")
    probe.add_argument("--wait", type=float, default=300, metavar="SECONDS", help="to wait for one state (default 300)")
    probe.add_argument(
        "--timeout", type=float, default=60, metavar="SECONDS", help="to wait for one answer (default 60)"
    )
    probe.add_argument("--yes", action="store_true", help="create resources without asking")
    _refuse_useless_options(probe)


def _refuse_useless_options(probe: CommandParser) -> None:
    """Refuse what is ignored. Options of a run may stay on the command line beside --list and --dry."""
    probe.refuse_useless("--cheap", "--dry", "--explore", why="beside --list", when=lambda options: options.list)
    selection = ("--rule", "--kind", "--evidence", "--cheap", "--experiments", "--dry", "--switches", "--bucket")
    outputs = ("--json", "--html", "--report", "--calibrate")
    others = ("--second-profile", "--third-profile", "--fcu", "--oos")
    exploring = "beside --explore, which runs histories of calls of its own and prints an experiment"
    probe.refuse_useless(*selection, *outputs, *others, why=exploring, when=lambda options: options.explore is not None)
    probe.refuse_useless("--seed", why="without --explore", when=lambda options: options.explore is None)
