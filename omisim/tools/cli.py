"""The command line: `omisim <command>`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omisim import __version__
from omisim.base.hosts import DEFAULT_REGION
from omisim.base.suggest import suggest
from omisim.spec.errors import ERRORS
from omisim.spec.rules import GRADES, Rule, families, load_rules

__all__ = ["main", "parsers"]

TIMINGS = ("eager", "clock", "manual")
LAST_PORT = 65535
STOPPED = 130  # the status of what Ctrl-C has ended, as shells have it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = parsers()["omisim"].parse_args(arguments)
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        return _wrong(f"omisim {options.command}: stopped", STOPPED)
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        sys.stderr.close()
        return 0
    return status


def parsers() -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of `omisim`, and the parser of each command, by name."""
    parser = argparse.ArgumentParser(prog="omisim", description="The OUTSCALE cloud's OMI model, in memory.")
    parser.add_argument("--version", action="version", version=f"omisim {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, dest="command", metavar="COMMAND")
    demo = commands.add_parser("demo", help="a golden-image pipeline of three accounts, through the real SDK")
    demo.add_argument("--json", action="store_true", help="the transcript and the lineage as data")
    demo.set_defaults(run=_demo)
    rules = commands.add_parser("rules", help="the rules of the model, one a line")
    kinds = sorted({family["kind"] for family in families().values()})
    rules.add_argument("--kind", choices=kinds, help="of this kind of thing only")
    rules.add_argument("--action", help="of this action only, for example CreateImage")
    rules.add_argument("--evidence", choices=list(GRADES), help="known this well only")
    rules.add_argument("--json", action="store_true", help="as data")
    rules.set_defaults(run=_rules)
    explain = commands.add_parser("explain", help="a rule: what it says, its error, its evidence, its tests")
    explain.add_argument("rule", metavar="RULE", help="a rule's id as a refusal names it, for example OMI-022")
    explain.add_argument("--json", action="store_true", help="as data")
    explain.set_defaults(run=_explain)
    lifecycle = commands.add_parser("lifecycle", help="the states of a kind, and what may be done in each")
    lifecycle.add_argument("kind", metavar="KIND", nargs="?", help="vm, volume, snapshot, image…; all when left out")
    lifecycle.add_argument("--format", choices=("text", "mermaid"), default="text")
    lifecycle.add_argument("--json", action="store_true", help="as data")
    lifecycle.set_defaults(run=_lifecycle)
    images = commands.add_parser("images", help="the official OMIs that every cloud begins with")
    images.add_argument("--region", default=DEFAULT_REGION, help=f"default {DEFAULT_REGION}")
    images.add_argument("--json", action="store_true", help="as the API answers them")
    images.set_defaults(run=_images)
    _add_serve(commands)
    replay = commands.add_parser("replay", help="ask a fresh cloud what was recorded, and tell what differs")
    replay.add_argument("file", metavar="FILE", help="exchanges, a JSON object a line, as `serve --record` writes them")
    replay.add_argument("--accept", metavar="FILE", help="the divergences that may be, and why: TOML")
    replay.add_argument("--region", help=f"where it happens, if FILE does not say (default {DEFAULT_REGION})")
    replay.add_argument("--timing", choices=TIMINGS, default="eager", help="default eager")
    replay.add_argument("--json", action="store_true", help="as data")
    replay.set_defaults(run=_replay)
    _add_check(commands)
    actions = commands.add_parser("actions", help="the actions of the official API: served, or why not")
    actions.add_argument("--json", action="store_true", help="as data")
    actions.set_defaults(run=_actions)
    return {"omisim": parser, **commands.choices}


def _add_check(commands: Any) -> None:
    check = commands.add_parser("check", help="visit every state that calls can reach, and hold every law against each")
    check.add_argument("--accounts", type=int, default=2, metavar="N", help="in each Region (default 2)")
    check.add_argument("--regions", type=int, default=2, metavar="N", help="default 2")
    check.add_argument(
        "--images", type=int, default=2, metavar="N", help="OMIs at most, and as many VMs, … (default 2)"
    )
    check.add_argument(
        "--depth", type=int, default=3, metavar="N", help="how many calls from the beginning (default 3)"
    )
    check.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1)")
    check.add_argument("--json", action="store_true", help="as data")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from omisim.tools.check.command import run  # noqa: PLC0415 - only this command needs it

    try:
        return run(options)
    except (ValueError, ChildProcessError) as error:
        return _wrong(f"omisim check: {error}", 2)  # 1: a law is broken


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="a server for clients in any language")
    serve.add_argument("--port", type=_port, default=8333, help="0 picks a free one (default 8333)")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: this machine alone)")
    serve.add_argument("--account", action="append", metavar="NAME[@REGION][:AK:SK]", help="repeatable (default alice)")
    serve.add_argument(
        "--scenario", metavar="NAME|FILE", help="begin with this scenario: a shipped one, or a TOML file"
    )
    serve.add_argument("--seed", help="ids depend on it (default 0, or the scenario's)")
    serve.add_argument("--timing", choices=TIMINGS, help="default eager, or the scenario's")
    serve.add_argument("--auth", choices=("strict", "lenient", "off"), help="default strict, or the scenario's")
    serve.add_argument("--state", metavar="FILE", help="a dump: loaded if it is there, saved on a clean stop")
    serve.add_argument("--tls", action="store_true", help="HTTPS, with a certificate made for it")
    serve.add_argument("--tls-cert", metavar="FILE", help="HTTPS, with this certificate")
    serve.add_argument("--tls-key", metavar="FILE", help="and its key")
    serve.add_argument("--token", help="what the control plane wants (default: a fresh one)")
    serve.add_argument("--log", metavar="FILE", help="a line of JSON for each request; - is the standard error")
    serve.add_argument("--record", metavar="FILE", help="the exchanges of the API, for `omisim replay`")
    serve.set_defaults(run=_serve)
    env = commands.add_parser("env", help="`export` lines by which clients reach a running server as an account")
    env.add_argument("account", nargs="?", default="alice")
    env.add_argument("--url", default=os.environ.get("OMISIM_URL", "http://127.0.0.1:8333"))
    env.add_argument("--token", default=os.environ.get("OMISIM_TOKEN", ""))
    env.set_defaults(run=_env)


def _port(said: str) -> int:
    if not said.isdecimal() or int(said) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {LAST_PORT}, not {said}")
    return int(said)


def _serve(options: argparse.Namespace) -> int:
    if bool(options.tls_cert) != bool(options.tls_key):
        return _wrong("omisim serve: --tls-cert and --tls-key go together")
    try:
        from omisim.tools.serve import serve  # noqa: PLC0415 - needs cheroot
    except ImportError as error:
        return _wrong(f"omisim serve: {error}; pip install 'omisim[server]'")
    return serve(options)


def _env(options: argparse.Namespace) -> int:
    from omisim.server.client import Client, render_exports  # noqa: PLC0415 - only this command needs it

    try:
        found = Client(options.url, options.token).get("accounts")
    except (OSError, ValueError) as error:
        return _wrong(f"omisim env: {options.url}: {error}")
    account = next((account for account in found if account["name"] == options.account), None)
    if account is None:
        return _wrong(f"omisim env: there is no {options.account!r}, but {', '.join(a['name'] for a in found)}")
    print(render_exports(account["env"]))
    return 0


def _replay(options: argparse.Namespace) -> int:
    from omisim.formats.recording import exchanges  # noqa: PLC0415 - `demo` needs none of this
    from omisim.tools.replay import acceptances, replay  # noqa: PLC0415

    reading = options.file
    try:
        recorded = tuple(exchanges(Path(reading).read_text().splitlines()))
        reading = options.accept or reading
        accepted = acceptances(Path(reading).read_text()) if options.accept else ()
        reading = options.file
        report = replay(recorded, accepted, region=options.region, timing=options.timing)
    except (OSError, ValueError) as error:
        return _wrong(f"omisim replay: {reading}: {error}", 2)
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return int(bool(report.failed))
    for found in report.divergences:
        accepted_as = f" [accepted: {found.accepted}]" if found.accepted else ""
        print(f"{options.file}:{found.line}: {found.action}: {found.says}{accepted_as}")
    for line, why in report.skipped.items():
        print(f"{options.file}:{line}: not replayed: {why}", file=sys.stderr)
    for acceptance in report.idle:
        print(f"{options.accept}: nothing to accept any more: {acceptance.reason}", file=sys.stderr)
    accepted_count = len(report.divergences) - len(report.failed)
    print(f"{report.exchanges} exchanges, {len(report.failed)} divergences, {accepted_count} accepted", file=sys.stderr)
    return int(bool(report.failed))


def _actions(options: argparse.Namespace) -> int:
    from omisim.actions.framework.registry import ACTIONS, not_served  # noqa: PLC0415

    rows = dict.fromkeys(ACTIONS, "") | dict(not_served())
    if options.json:
        data = [{"action": name, "served": not reason, "reason": reason} for name, reason in sorted(rows.items())]
        print(json.dumps(data, indent=2))
        return 0
    for name, reason in sorted(rows.items()):
        print(f"{name:<44} {f'no: {reason}' if reason else 'yes'}")
    print(f"{len(ACTIONS)} of {len(rows)} are served", file=sys.stderr)
    return 0


def _demo(options: argparse.Namespace) -> int:
    try:
        from omisim.tools.demo import play, show  # noqa: PLC0415 - needs the SDK and rich
    except ImportError as error:
        return _wrong(f"omisim demo: {error}; pip install 'omisim[all]'")
    if options.json:
        print(json.dumps(play().to_dict(), indent=2))
    else:
        show(play())
    return 0


def _every_rule() -> Mapping[str, Rule]:
    from omisim.spec.lifecycle import list_cell_rules  # noqa: PLC0415 - `demo` does not need it

    return {**load_rules(), **{cell.id: cell for cell in list_cell_rules()}}


def _rules(options: argparse.Namespace) -> int:
    found = [
        rule
        for rule in _every_rule().values()
        if options.kind in (None, rule.kind)
        and (options.action is None or options.action.lower() in rule.actions)
        and options.evidence in (None, rule.evidence)
    ]
    if options.json:
        print(json.dumps([asdict(rule) for rule in found], indent=2))
        return 0
    for rule in found:
        code = f"{ERRORS[rule.error].status} {ERRORS[rule.error].code}" if rule.error else "out" if rule.out else ""
        print(f"{rule.id:<16} {code:<10} {rule.evidence:<11} {rule.says or rule.out}")
    meant = "" if found or options.action is None else _similar_actions(options.action)
    print(f"{len(found)} rules{meant}", file=sys.stderr)
    return 0 if found else 1


def _similar_actions(action: str) -> str:
    from omisim.actions.framework.registry import ACTIONS, not_served  # noqa: PLC0415 - where nothing was found

    return suggest(action, {*ACTIONS, *not_served()})


def _proofs() -> dict[str, list[str]]:
    """Return the tests that prove each rule: in a checkout, for what pip installs has no tests."""
    table = Path(__file__).parents[2] / "tests" / "proofs.toml"
    return tomllib.loads(table.read_text("utf-8")) if table.is_file() else {}


def _explain(options: argparse.Namespace) -> int:
    rules = _every_rule()
    rule = rules.get(options.rule) or rules.get(options.rule.upper())
    if rule is None:
        similar = suggest(options.rule, rules, "; near it: {}", count=3) or "; `omisim rules` lists them"
        return _wrong(f"omisim explain: there is no rule {options.rule!r}{similar}")
    tests = _proofs().get(rule.id, ())
    reference = f"docs/reference/rules/{rule.page}.html#{rule.anchor}"  # no public address exists yet
    if options.json:
        print(json.dumps({**asdict(rule), "reference": reference, "proofs": tests}, indent=2))
        return 0
    print(rule.explain())
    print(f"  Reference: {reference}")
    for test in tests:
        print(f"  Proof: {test}")
    return 0


def _lifecycle(options: argparse.Namespace) -> int:
    from omisim.spec.diagrams import render_mermaid, render_text, to_data  # noqa: PLC0415 - `demo` does not need it
    from omisim.spec.lifecycle import LIFECYCLES  # noqa: PLC0415

    if options.kind not in (None, *LIFECYCLES):
        return _wrong(f"omisim lifecycle: {options.kind!r} is none of {', '.join(LIFECYCLES)}")
    draw = render_mermaid if options.format == "mermaid" else render_text
    kinds = LIFECYCLES if options.kind is None else (options.kind,)
    if options.json:
        print(json.dumps({kind: to_data(LIFECYCLES[kind]) for kind in kinds}, indent=2))
        return 0
    print("\n\n".join(draw(LIFECYCLES[kind]) for kind in kinds))
    return 0


def _images(options: argparse.Namespace) -> int:
    from omisim import Cloud  # noqa: PLC0415 - `rules` does not need it
    from omisim.model.serialize import to_api  # noqa: PLC0415

    try:
        found = Cloud().images.all(options.region)
    except ValueError as error:
        return _wrong(f"omisim images: {error}")
    lines = [f"{image.image_id}  {image.image_name}" for image in found]
    print(json.dumps(to_api(found), indent=2) if options.json else "\n".join(lines))
    return 0


def _wrong(text: str, status: int = 1) -> int:
    print(text, file=sys.stderr)
    return status
