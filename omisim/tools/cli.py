"""The command line: `omisim <command>`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omisim import __version__
from omisim.base.foreign import parse_count
from omisim.base.hosts import DEFAULT_REGION
from omisim.base.suggest import suggest
from omisim.spec.errors import ERRORS
from omisim.spec.rules import GRADES, families
from omisim.tools.look import add_source, add_views
from omisim.tools.probe.options import add_options

if TYPE_CHECKING:
    from omisim.spec.lifecycle import Lifecycle

__all__ = ["main", "parsers"]

TIMINGS = ("eager", "clock", "manual", "reads")
LAST_PORT = 65535
INTERRUPTED = 130  # the exit status after Ctrl-C, as in shells


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parser = parsers()["omisim"]
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        return _report_error(f"omisim {options.command}: stopped", INTERRUPTED)
    except BrokenPipeError:  # the reader, for example `head`, has closed the pipe
        sys.stderr.close()
        return 0
    return status


def parsers() -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of `omisim`, and the parser of each command, by name."""
    parser = argparse.ArgumentParser(prog="omisim", description="A simulator of OUTSCALE machine images (OMIs).")
    parser.add_argument("--version", action="version", version=f"omisim {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    _add_demo(commands)
    _add_tour(commands)
    rules = commands.add_parser("rules", help="list the rules of the model")
    kinds = sorted({family["kind"] for family in families().values()})
    rules.add_argument("--kind", choices=kinds, help="only rules of this kind of resource")
    rules.add_argument("--action", help="only rules of this action, for example CreateImage")
    rules.add_argument("--evidence", choices=list(GRADES), help="only rules with this grade of evidence")
    rules.add_argument("--measured", metavar="REPORT", help="show what a report of `omisim probe` says of each rule")
    rules.add_argument("--json", action="store_true", help="print JSON")
    rules.set_defaults(run=_rules)
    explain = commands.add_parser("explain", help="explain any word: a rule, an error, an action, a state, a concept")
    explain.add_argument("word", metavar="WORD", nargs="+", help="for example OMI-022, 9029, CreateImage, product code")
    explain.add_argument("--json", action="store_true", help="print JSON")
    explain.set_defaults(run=_explain)
    lifecycle = commands.add_parser("lifecycle", help="show the states of a kind, and the actions allowed in each")
    lifecycle.add_argument("kind", metavar="KIND", nargs="?", help="omi, vm, volume, snapshot, export…; default: all")
    lifecycle.add_argument("--format", choices=("text", "mermaid", "svg"), default="text", help="svg needs a KIND")
    lifecycle.add_argument("--json", action="store_true", help="print JSON")
    lifecycle.set_defaults(run=_lifecycle)
    images = commands.add_parser("images", help="list the official OMIs of a new cloud")
    images.add_argument("--region", default=DEFAULT_REGION, help=f"default {DEFAULT_REGION}")
    images.add_argument("--json", action="store_true", help="print JSON in the format of the API")
    images.set_defaults(run=_images)
    _add_serve(commands)
    replay = commands.add_parser("replay", help="replay a recording against a new cloud, and report the differences")
    replay.add_argument("file", metavar="FILE", help="a recording of `serve --record`, one JSON object per line")
    replay.add_argument("--accept", metavar="FILE", help="a TOML file of accepted divergences with their reasons")
    replay.add_argument("--fill", metavar="FILE", help="a TOML file of values for redactions")
    replay.add_argument("--values", action="store_true", help="compare enums, booleans, numbers and texts, too")
    replay.add_argument("--region", help=f"the Region of exchanges that name none (default {DEFAULT_REGION})")
    replay.add_argument("--timing", choices=TIMINGS, default="eager", help="default eager")
    replay.add_argument("--json", action="store_true", help="print JSON")
    replay.set_defaults(run=_replay)
    _add_check(commands)
    probe = commands.add_parser("probe", help="measure an endpoint: whether it behaves as each rule of the model says")
    add_options(probe)
    probe.set_defaults(run=_probe)
    add_views(commands)
    actions = commands.add_parser("actions", help="list the actions of the official API: served, or the reason why not")
    actions.add_argument("--json", action="store_true", help="print JSON")
    actions.set_defaults(run=_actions)
    doctor = commands.add_parser("doctor", help="check the installation and the environment, and say what to do")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)
    return {"omisim": parser, **commands.choices}


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser("demo", help="run a golden-image pipeline with three accounts, through the real SDK")
    demo.add_argument("--json", action="store_true", help="print the transcript and the lineage as JSON")
    demo.add_argument("--step", action="store_true", help="wait for Enter before each step")
    demo.add_argument("--svg", metavar="FILE", help="write a picture of an excerpt, the one that README shows")
    demo.set_defaults(run=_demo)


def _add_tour(commands: Any) -> None:
    tour = commands.add_parser("tour", help="learn the OMI model in ten short lessons")
    tour.add_argument("--lesson", type=int, metavar="N", help="only this lesson (default: those not read yet)")
    tour.add_argument("--yes", action="store_true", help="run without pauses")
    tour.add_argument("--list", action="store_true", help="list the lessons and the progress")
    tour.add_argument("--restart", action="store_true", help="forget the progress")
    tour.add_argument(
        "--check",
        nargs="?",
        const="",
        metavar="SCRIPT",
        help="judge the goal, of a script or of a cloud",
    )
    add_source(tour)
    tour.set_defaults(run=_tour)


def _tour(options: argparse.Namespace) -> int:
    try:
        from omisim.tools.tour.command import run  # noqa: PLC0415 - needs rich

        return run(options)
    except (OSError, ValueError) as error:
        return _report_error(f"omisim tour: {error}")
    except EOFError:  # the student has closed standard input
        return _report_error("omisim tour: stopped")
    except ImportError as error:
        return _report_error(f"omisim tour: {error}; pip install 'omisim[all]' installs what the tour needs")


def _add_check(commands: Any) -> None:
    check = commands.add_parser("check", help="visit every state that calls can reach, and check every law in each")
    check.add_argument("--accounts", type=int, default=2, metavar="N", help="accounts per Region (default 2)")
    check.add_argument("--regions", type=int, default=2, metavar="N", help="Regions (default 2)")
    check.add_argument(
        "--images", type=int, default=2, metavar="N", help="the maximum number of OMIs, of VMs, … (default 2)"
    )
    check.add_argument("--depth", type=int, default=3, metavar="N", help="the maximum number of calls (default 3)")
    check.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1)")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from omisim.tools.check.command import run  # noqa: PLC0415 - only this command needs it

    try:
        return run(options)
    except (ValueError, ChildProcessError) as error:
        return _report_error(f"omisim check: {error}", 2)  # 1: a law is broken


def _probe(options: argparse.Namespace) -> int:
    from omisim.tools.probe.command import run  # noqa: PLC0415 - only this command needs it

    return run(options)


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="run a server for clients in any language")
    serve.add_argument("--port", type=_parse_port, default=8333, help="0 picks a free one (default 8333)")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: loopback only)")
    serve.add_argument("--account", action="append", metavar="NAME[@REGION][:AK:SK]", help="repeatable (default alice)")
    serve.add_argument(
        "--scenario", metavar="NAME|FILE", help="set up the cloud by a scenario: a shipped one, or a TOML file"
    )
    serve.add_argument("--seed", help="the seed of generated ids and keys (default: random)")
    names = "a name by which other machines reach the server; repeatable"
    serve.add_argument("--allow-host", action="append", default=[], metavar="NAME", help=names)
    serve.add_argument("--timing", choices=TIMINGS, help="default eager, or the scenario's")
    serve.add_argument("--auth", choices=("strict", "lenient", "off"), help="default strict, or the scenario's")
    serve.add_argument("--switches", metavar="FILE", help="the switches of the cloud, for example of `omisim probe`")
    serve.add_argument("--state", metavar="FILE", help="keep the cloud in this file, which survives kill -9")
    serve.add_argument("--tls", action="store_true", help="use HTTPS with a generated certificate")
    serve.add_argument("--tls-cert", metavar="FILE", help="use HTTPS with this certificate")
    serve.add_argument("--tls-key", metavar="FILE", help="the key of the certificate")
    serve.add_argument("--token", help="the token of the control plane (default: random)")
    serve.add_argument("--log", metavar="FILE", help="write a line of JSON per request; - is standard error")
    serve.add_argument("--record", metavar="FILE", help="record the exchanges of the API, for `omisim replay`")
    serve.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="what a client may use (docs: Limits); repeatable",
    )
    serve.set_defaults(run=_serve)
    env = commands.add_parser("env", help="print the `export` lines for clients of a running server")
    env.add_argument("account", nargs="?", default="alice")
    env.add_argument("--url", default=os.environ.get("OMISIM_URL", "http://127.0.0.1:8333"))
    env.add_argument("--token", default=os.environ.get("OMISIM_TOKEN", ""))
    env.set_defaults(run=_env)
    dump = commands.add_parser("dump", help="print the cloud of a running server as JSON, without its secrets")
    dump.add_argument("--secrets", action="store_true", help="with the keys and passwords that a load restores")
    dump.add_argument("--url", default=os.environ.get("OMISIM_URL", "http://127.0.0.1:8333"))
    dump.add_argument("--token", default=os.environ.get("OMISIM_TOKEN", ""))
    dump.set_defaults(run=_dump)


def _parse_port(text: str) -> int:
    try:
        return parse_count(text, LAST_PORT)
    except ValueError:
        raise argparse.ArgumentTypeError(f"port must be a number from 0 to {LAST_PORT}, not {text}") from None


def _serve(options: argparse.Namespace) -> int:
    if bool(options.tls_cert) != bool(options.tls_key):
        return _report_error("omisim serve: --tls-cert and --tls-key must go together")
    try:
        from omisim.tools.serve import serve  # noqa: PLC0415 - needs cheroot
    except ImportError as error:
        return _report_error(f"omisim serve: {error}; pip install 'omisim[server]'")
    return serve(options)


def _env(options: argparse.Namespace) -> int:
    from omisim.clients.proxies import bypass_proxy  # noqa: PLC0415 - only this command needs them
    from omisim.server.client import Client, render_exports  # noqa: PLC0415

    try:
        accounts = Client(options.url, options.token).get("accounts")
    except (OSError, ValueError) as error:
        return _report_error(f"omisim env: {options.url}: {error}")
    account = next((account for account in accounts if account["name"] == options.account), None)
    if account is None:
        return _report_error(
            f"omisim env: unknown account {options.account!r}; known: {', '.join(a['name'] for a in accounts)}"
        )
    print(render_exports(account["env"] | bypass_proxy(options.url)))  # of this shell, not of the server's
    return 0


def _dump(options: argparse.Namespace) -> int:
    from omisim.server.client import Client  # noqa: PLC0415 - only this command needs it

    try:
        data = Client(options.url, options.token).get("dump", **({"secrets": "true"} if options.secrets else {}))
    except (OSError, ValueError) as error:
        return _report_error(f"omisim dump: {options.url}: {error}")
    print(json.dumps(data))
    return 0


def _replay(options: argparse.Namespace) -> int:
    from omisim.tools.replay.command import run  # noqa: PLC0415 - only this command needs it

    return run(options)


def _actions(options: argparse.Namespace) -> int:
    from omisim.actions.framework.registry import ACTIONS, empty_lists, not_served  # noqa: PLC0415

    rows = dict.fromkeys(ACTIONS, "") | dict(not_served())
    rows |= {name: f"{rows[name]} (answers an empty list)" for name in empty_lists()}
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
        from omisim.tools.demo import play, show  # noqa: PLC0415 - needs rich
        from omisim.tools.demo.picture import draw  # noqa: PLC0415

        story = play()
        if options.svg:
            Path(options.svg).write_text(draw(story), "utf-8")
        elif options.json:
            print(json.dumps(story.to_dict(), indent=2))
        else:
            waits = options.step and sys.stdin.isatty()
            show(story, pause=input if waits else lambda: None)
    except (OSError, EOFError) as error:
        return _report_error(f"omisim demo: {error or 'stopped'}")
    except ImportError as error:  # rich, the SDK, boto3 or moto
        return _report_error(f"omisim demo: {error}; pip install 'omisim[all]' installs what the demo needs")
    return 0


def _rules(options: argparse.Namespace) -> int:
    from omisim.tools.explain import load_every_rule  # noqa: PLC0415 - `demo` does not need it

    rules = [
        rule
        for rule in load_every_rule().values()
        if options.kind in (None, rule.kind)
        and (options.action is None or options.action.lower() in rule.actions)
        and options.evidence in (None, rule.evidence)
    ]
    try:
        measured = _read_measured(options.measured)
    except (OSError, ValueError) as error:
        return _report_error(f"omisim rules: {options.measured}: {error}", 2)
    if options.json:
        extra = [{"measured": measured.get(rule.id)} if options.measured else {} for rule in rules]
        print(json.dumps([asdict(rule) | more for rule, more in zip(rules, extra, strict=True)], indent=2))
        return 0
    for rule in rules:
        code = f"{ERRORS[rule.error].status} {ERRORS[rule.error].code}" if rule.error else "out" if rule.out else ""
        verdict = f"{measured.get(rule.id, 'not measured'):<15} " if options.measured else ""
        print(f"{rule.id:<16} {code:<10} {rule.evidence:<11} {verdict}{rule.says or rule.out}")
    suggestion = "" if rules or options.action is None else _similar_actions(options.action)
    print(f"{len(rules)} rules{suggestion}", file=sys.stderr)
    return 0 if rules else 1


def _read_measured(path: str | None) -> Mapping[str, str]:
    """Return the verdict of each rule in a report of `omisim probe`."""
    from omisim.probe.report import read_report  # noqa: PLC0415 - only --measured needs it

    return read_report(Path(path).read_text("utf-8")).rules if path else {}


def _similar_actions(action: str) -> str:
    from omisim.actions.framework.registry import ACTIONS, not_served  # noqa: PLC0415 - only needed if no rule matches

    return suggest(action, {*ACTIONS, *not_served()})


def _load_proofs() -> dict[str, list[str]]:
    """Return the tests that prove each rule; {} outside a checkout, because the wheel has no tests."""
    table = Path(__file__).parents[2] / "tests" / "proofs.toml"
    return tomllib.loads(table.read_text("utf-8")) if table.is_file() else {}


def _doctor(options: argparse.Namespace) -> int:
    from omisim.tools import doctor  # noqa: PLC0415 - only this command needs it

    findings = list(doctor.diagnose(os.environ, Path.home()))
    data = [asdict(finding) for finding in findings]
    print(json.dumps(data, indent=2) if options.json else "\n".join(map(str, findings)))
    return int(any(finding.grade == "problem" for finding in findings))


def _explain(options: argparse.Namespace) -> int:
    from omisim.tools import explain  # noqa: PLC0415 - only this command needs it

    word = " ".join(options.word)
    explanations = explain.explain(word)
    if not explanations:
        return _report_error(f"omisim explain: unknown word {word!r}{explain.suggest_words(word)}")
    proofs = _load_proofs() if any(explanation.kind == "rule" for explanation in explanations) else {}
    if options.json:
        print(explain.to_json(explanations, proofs))
        return 0
    for explanation in explanations:
        print(explanation.format(shutil.get_terminal_size((100, 24)).columns))
        for test in proofs.get(explanation.title, ()):
            print(f"  Proof: {test}")
    return 0


def _lifecycle(options: argparse.Namespace) -> int:
    from omisim.spec.diagrams import render_mermaid, render_svg, render_text, to_data  # noqa: PLC0415 - `demo` needs none
    from omisim.spec.legend import find_kind  # noqa: PLC0415
    from omisim.spec.lifecycle import LIFECYCLES  # noqa: PLC0415

    kind = find_kind(options.kind or "", LIFECYCLES)
    if options.kind is not None and kind is None:
        similar = suggest(options.kind, LIFECYCLES)
        known = ", ".join(LIFECYCLES)
        return _report_error(f"omisim lifecycle: KIND must be one of {known}, not {options.kind!r}{similar}")
    kinds = list(LIFECYCLES) if kind is None else [kind]
    if options.json:
        print(json.dumps({each: to_data(LIFECYCLES[each]) for each in kinds}, indent=2))
        return 0
    if options.format == "svg" and kind is None:
        return _report_error(f"omisim lifecycle: --format svg draws one KIND: {', '.join(LIFECYCLES)}")
    width = shutil.get_terminal_size((100, 24)).columns
    text: Callable[[Lifecycle], str] = lambda lifecycle: render_text(lifecycle, width)  # noqa: E731
    draw = {"text": text, "mermaid": render_mermaid, "svg": render_svg}[options.format]
    print("\n\n".join(draw(LIFECYCLES[each]) for each in kinds))
    return 0


def _images(options: argparse.Namespace) -> int:
    from omisim import Cloud  # noqa: PLC0415 - `rules` does not need it
    from omisim.model.serialize import to_api  # noqa: PLC0415

    try:
        images = Cloud().images.all(options.region)
    except ValueError as error:
        return _report_error(f"omisim images: {error}")
    lines = [f"{image.image_id}  {image.image_name}" for image in images]
    print(json.dumps(to_api(images), indent=2) if options.json else "\n".join(lines))
    return 0


def _report_error(text: str, status: int = 1) -> int:
    print(text, file=sys.stderr)
    return status
