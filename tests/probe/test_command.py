"""`omisim probe`: what it prints and writes, its exit statuses, and endpoints that do not behave."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from omisim import Cloud
from omisim.server import run_server
from omisim.tools.cli import main
from omisim.tools.probe import command
from omisim.tools.probe.output import check_outputs

CALLERS = {"": ("alice", "eu-west-2"), "_2": ("bob", "eu-west-2"), "_3": ("carol", "us-east-2")}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="cloud")
def _cloud() -> Cloud:
    """The probed cloud."""
    return Cloud()


@pytest.fixture(name="url")
def _url(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of a server with the accounts of the experiments, whose keys are in the environment."""
    monkeypatch.chdir(tmp_path)
    for ending, (name, region) in CALLERS.items():
        account = cloud.account(name, region=region)
        monkeypatch.setenv(f"OSC_ACCESS_KEY{ending}", account.access_key)
        monkeypatch.setenv(f"OSC_SECRET_KEY{ending}", account.secret_key)
        monkeypatch.setenv(f"OSC_REGION{ending}", region)
    with run_server(cloud) as server:
        yield server.url


@pytest.fixture(name="run")
def _run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs `omisim probe`, and returns its exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["probe", *arguments])
        return status, *capsys.readouterr()

    return run


@contextmanager
def serve(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer for every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestRuns:
    def test_print_a_line_per_rule_and_end_with_0_if_nothing_differs(self, run: Run, url: str) -> None:
        """The default output is a table."""
        status, out, err = run(url, "--rule", "OMI-022", "--rule", "VOL-004")
        assert (status, out.split()) == (0, ["OMI-022", "agrees", "VOL-004", "agrees"])
        assert err.endswith("2 agrees; 41 calls, 3 resources created\n")

    def test_write_json_html_and_switches(self, run: Run, url: str, tmp_path: Path) -> None:
        """With --json, stdout is one JSON document; the other files are written beside it."""
        options = ("--rule", "VOL-046", "--json", "--html", "page.html", "--calibrate", "switches.toml")
        status, out, _ = run(f"{url}/api/v1", *options)
        report = json.loads(out)
        assert (status, report["rules"]["VOL-046"], report["left"]) == (0, "agrees", {})
        assert "VOL-046" in (tmp_path / "page.html").read_text()
        assert (tmp_path / "switches.toml").read_text().count("\n") == 1

    def test_end_with_1_if_a_rule_differs(self, run: Run, url: str, tmp_path: Path) -> None:
        """Expect the behaviour of a switch that the server does not have."""
        (tmp_path / "other.toml").write_text("hot_volume_update = false\n")
        status, out, _ = run(url, "--rule", "VOL-046", "--switches", "other.toml")
        assert status == 1
        assert "differs" in out

    def test_are_resumed_from_their_report(self, run: Run, url: str) -> None:
        """What a report has decided is not measured again."""
        run(url, "--rule", "VOL-004", "--report", "run.json")
        status, out, err = run(url, "--rule", "VOL-004", "--rule", "VOL-005", "--report", "run.json")
        assert (status, out.split()) == (0, ["VOL-004", "agrees", "VOL-005", "agrees"])
        assert "0 resources" not in err

    def test_print_what_they_found_if_their_report_cannot_be_written(
        self, run: Run, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder that vanishes during the run costs the report, in one line that names it, not the results."""

        def check_and_remove(options: argparse.Namespace) -> None:
            check_outputs(options)
            Path("gone").rmdir()

        Path("gone").mkdir()
        monkeypatch.setattr(command, "check_outputs", check_and_remove)
        status, out, err = run(url, "--rule", "VOL-004", "--report", "gone/run.json")
        assert (status, out.split()) == (2, ["VOL-004", "agrees"])
        assert f"omisim probe: {Path('gone/run.json.new')}: No such file or directory\n" in err

    def test_say_why_rules_are_undecided(self, run: Run, url: str) -> None:
        """The reasons are counted at the end, and a rule of the user's own is printed too."""
        Path("mine.toml").write_text(
            '["mine"]\ncalls = [{ do = "ReadVms", give = { X = "{lost}" }, rule = "MINE-1" }]\n'
        )
        status, out, err = run(url, "--experiments", "mine.toml")
        reason = "an earlier call did not return lost"
        assert (status, " ".join(out.split())) == (0, f"MINE-1 could not tell {reason}")
        assert f"    1 could not tell: {reason}\n" in err
        status, _, err = run(url, "--rule", "QTA-001", "--rule", "vm/StartVms/pending")
        assert (status, "could not tell: the account has no such quota" in err) == (0, True)
        assert "1 could not tell: a transient state had ended before the call" in err

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("x = [", "mine.toml: Invalid value"),
            ("x = 1", "mine.toml must consist of tables, one for each experiment"),
            ('["a"]\ncalls = [{ do = "ReadVms", giv = {} }]', "a call has no key 'giv'; did you mean give?"),
            ('["a"]\ncalls = [{ door = "fcu", do = "RunInstances" }]', "RunInstances of FCU could not be cleaned up"),
            ('["a"]\ncalls = [1]', "a: a call must be a table, not 1"),
            ('["a"]\ncalls = 3', "mine.toml: the calls of experiment 'a' must be a list, not 3"),
            ('["a"]\ncalls = []\nrule = 1', "experiment 'a' has the key 'rule'; it must have calls alone"),
            ('["a"]\ncalls = [{ do = "ReadVms" }]', "mine.toml: no call names the rule that it decides"),
            ('["a"]\ncalls = [{ rule = "x" }]', "a: a call must have do, wait or cells"),
            ('["a"]\ncalls = [{ do = "ReadVms", give = 3 }]', "a: give must be a table, not 3"),
            ('["a"]\ncalls = [{ do = "ReadVms", repeat = true }]', "a: repeat must be a number, not True"),
            ('["a"]\ncalls = [{ do = "ReadVms", switch = "auto_boot" }]', "a: unknown switch 'auto_boot'"),
            ('["a"]\ncalls = [{ cells = "vm", state = "runing" }]', "a: cells must name a kind, a state of it"),
        ],
    )
    def test_refuse_a_wrong_file_of_experiments(self, run: Run, url: str, text: str, problem: str) -> None:
        """A mistake in a file is one line with its name, and nothing is done."""
        Path("mine.toml").write_text(text)
        status, out, err = run(url, "--experiments", "mine.toml")
        assert (status, out, err.count("\n"), problem in err) == (2, "", 1, True)

    def test_cannot_tell_what_an_unknown_account_sees(self, run: Run, url: str) -> None:
        """A call by an account that the run does not have decides nothing, and the others go on."""
        Path("mine.toml").write_text('["mine"]\ncalls = [{ do = "ReadVms", by = "dave", rule = "MINE-1" }]\n')
        status, out, _ = run(url, "--experiments", "mine.toml")
        assert (status, " ".join(out.split())) == (0, "MINE-1 could not tell needs the account dave")

    def test_create_at_most_what_they_may(self, run: Run, url: str) -> None:
        """Beyond the bound, experiments could not tell."""
        status, out, err = run(url, "--rule", "OMI-022", "--max-resources", "1")
        assert (status, "the bound of 1 resource is reached" in out) == (0, True)
        assert "1 resource created" in err


class TestMeasured:
    def test_rules_show_their_verdicts(self, run: Run, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim rules --measured` shows what a report says of each rule."""
        run(url, "--rule", "VOL-004", "--report", "run.json")
        assert main(["rules", "--kind", "volume", "--measured", "run.json"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert next(line for line in lines if line.startswith("VOL-004 ")).split()[4] == "agrees"
        assert "not measured" in next(line for line in lines if line.startswith("VOL-005 "))
        assert main(["rules", "--measured", "run.json", "--json"]) == 0
        rows = {row["id"]: row["measured"] for row in json.loads(capsys.readouterr().out)}
        assert (rows["VOL-004"], rows["VOL-005"]) == ("agrees", None)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("{}", "not a report of omisim probe: it has no 'format'"),
            ("[]", "not a report of omisim probe: it must be a JSON object, not list"),
            ("[" * 100_000, "it is nested more than 64 levels deep"),
            (
                '{"format": 1, "findings": [{"experiment": "a", "rules": ["OMI-022"], "verdict": "good"}]}',
                "not a finding",
            ),
            (
                '{"format": 1, "findings": [{"experiment": "a", "rules": [["x"]], "verdict": "agrees"}]}',
                "not a finding",
            ),
        ],
        ids=range(5),
    )
    def test_refuse_another_file(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, problem: str
    ) -> None:
        """A file that is not a report is one line."""
        (tmp_path / "x.json").write_text(text)
        assert main(["rules", "--measured", str(tmp_path / "x.json")]) == 2
        error = capsys.readouterr().err
        assert problem in error
        assert error.count("\n") == 1


class TestExploring:
    def test_finds_no_difference_to_the_same_model(self, run: Run, url: str) -> None:
        """Random histories on two servers of omisim have the same answers."""
        status, out, err = run(url, "--explore", "3")
        assert (status, out) == (0, "")
        assert err == "3 histories, no difference (seed 0)\n"

    def test_prints_the_shrunk_difference_as_an_experiment(
        self, run: Run, url: str, cloud: Cloud, tmp_path: Path
    ) -> None:
        """One call shows that a server has another error than omisim, and that call can be probed again."""
        cloud.engine.set_switch("VOL-020", "busy")
        status, out, _ = run(url, "--explore", "50")
        assert (status, out.count("{ do =")) == (1, 1)
        (tmp_path / "found.toml").write_text(out)
        assert run(url, "--experiments", "found.toml")[0] == 1

    def test_is_refused_without_histories(self, run: Run, url: str) -> None:
        """A number below one is invalid."""
        assert run(url, "--explore", "0") == (2, "", "omisim probe: --explore must be at least 1, not 0\n")

    def test_is_stopped_after_a_history_and_leaves_nothing(self, run: Run, url: str, cloud: Cloud) -> None:
        """Ctrl-C lets the clean-up of the history in progress end, on both sides."""
        alice = cloud.account("alice")
        before = len(alice.read_security_groups())
        created = cloud.faults.add("CreateVolume", times=1, meanwhile=lambda: signal.raise_signal(signal.SIGINT))
        status, _, err = run(url, "--explore", "500")
        assert (status, created.hits) == (130, 1)
        assert "stopping, and cleaning up" in err
        assert {volume.state for volume in alice.read_volumes()} <= {"deleting"}
        assert len(alice.read_security_groups()) == before

    def test_says_which_creation_had_no_answer(self, run: Run, url: str, cloud: Cloud) -> None:
        """What a history cannot clean up is named, as in any other run."""
        cloud.faults.add("CreateVolume", times=9, drop=True, after_effect=True)
        status, _, err = run(url, "--explore", "500")
        note, error = err.splitlines()
        assert note.startswith("omisim probe: no answer to CreateVolume of the first account: what these calls may ")
        assert (status, error.partition(": ")[2].partition(":")[0]) == (2, "CreateVolume")


class TestPlans:
    def test_are_printed_without_an_endpoint(self, run: Run) -> None:
        """--dry prints the experiments, with an upper bound of their cost."""
        status, out, err = run("--dry", "--rule", "OMI-022")
        assert status == 0
        assert out.startswith("OMI-022 CreateImage")
        assert err.startswith("at most 2 resources and ")
        assert err.endswith(" calls, and others to wait and to clean up\n")

    def test_that_are_cheap_create_nothing(self, run: Run) -> None:
        """--cheap selects experiments that need no resource."""
        _, out, _ = run("--dry", "--cheap", "--json")
        plan = json.loads(out)
        assert plan["at_most"]["resources"] == 0
        assert len(plan["experiments"]) > 100

    def test_list_each_rule(self, run: Run) -> None:
        """--list shows the experiments of each rule and their share."""
        status, out, err = run("--list")
        assert status == 0
        assert "OMI-022                                  OMI-022 CreateImage\n" in out
        assert "%) have an experiment" in err

    def test_list_the_chosen_rules(self, run: Run) -> None:
        """--list shows the rules that the other options choose."""
        status, out, err = run("--list", "--rule", "OMI-022")
        assert (status, out) == (0, "OMI-022                                  OMI-022 CreateImage\n")
        assert err == "1 of 1 rules (100%) have an experiment, 1 of 1 refusals (100%)\n"

    def test_list_no_unknown_rule(self, run: Run) -> None:
        """--list refuses a rule that does not exist."""
        assert run("--list", "--rule", "OMI-999")[0] == 2


class TestProblems:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            (("--max-resources", "0"), "--max-resources must be at least 1, not 0"),
            (("--wait", "0"), "--wait and --timeout must be positive"),
            (("--wait", "nan"), "--wait and --timeout must be positive"),
            (("--timeout", "inf"), "--wait and --timeout must be positive"),
            (("--rule", "OMI-999"), "--rule must be the id of a rule, not 'OMI-999'"),
            (("--rule", "VM-005"), "no experiment decides such a rule; VM-005: no call shows or fills the capacity"),
            (("--rule", "OMI-022", "--cheap"), "all experiments that decide these rules create resources: leave out"),
            (("--kind", "nope"), "--kind must be one of access_key, account"),
            (("--evidence", "infered"), "not 'infered'; did you mean inferred?"),
            (("--html", "nowhere/page.html"), "--html must be the path of a file in a folder that exists"),
            (("--calibrate", "."), "--calibrate must be the path of a file in a folder that exists"),
            (("--oos", "ftp://x"), "--oos must be a URL such as"),
            (("--switches", "nowhere.toml"), "nowhere.toml: No such file"),
            (("--switches", "wrong.toml"), "wrong.toml: switch OMI-022 must be the name of an API error, not 'taken'"),
            (("--profile", "work"), "config.json: No such file"),
        ],
    )
    def test_of_options_are_reported_in_one_line(
        self, run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], text: str
    ) -> None:
        """An invalid option ends the run with status 2."""
        monkeypatch.setenv("HOME", str(tmp_path))
        Path("wrong.toml").write_text('OMI-022 = "taken"')
        status, out, err = run(url, *options)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert text in err

    @pytest.mark.parametrize(
        "url", ["http://[::1", "http://127.0.0.1:99999", "https://name:secret@example.com", "http://"]
    )
    def test_of_the_url_are_reported_in_one_line(self, run: Run, url: str) -> None:
        """A URL that leads nowhere, or has keys in it, which a report would contain."""
        status, _, err = run(url)
        assert (status, err.count("\n")) == (2, 1)
        assert "ENDPOINT must be a URL such as https://api.eu-west-2.outscale.com, not" in err

    def test_of_a_missing_scheme_are_reported_in_one_line(self, run: Run, url: str) -> None:
        """A URL without a scheme is one of https, which a server of omisim does not speak by default."""
        host = url.removeprefix("http://")
        status, _, err = run(host)
        assert (status, err.count("\n")) == (2, 1)
        assert f"{host}: ReadAccounts: the host does not speak TLS: should its URL begin with http://?" in err

    def test_of_keys_are_reported_in_one_line(self, run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Wrong keys end the run before anything is created."""
        monkeypatch.setenv("OSC_SECRET_KEY", "wrong")
        status, _, err = run(url)
        assert (status, "refuses the keys of the first account" in err, err.count("\n")) == (2, True, 1)

    @pytest.mark.parametrize(
        ("ending", "same", "problem"),
        [
            ("_2", "", "the second account must be another one than the first account: both are "),
            ("_3", "_2", "the third account must be another one than the second account: both are "),
            ("_2", "_3", "the second account must be in the Region of the first, eu-west-2, not in us-east-2"),
            ("_3", None, "the third account must be in another Region than the first: both are in eu-west-2"),
        ],
    )
    def test_of_accounts_are_reported_in_one_line(
        self, run: Run, url: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, ending: str, same: str | None,
        problem: str,
    ) -> None:  # fmt: skip
        """With one account as two, or in the wrong Region, the endpoint would seem to differ."""
        name = "dave" if same is None else CALLERS[same][0]
        account = cloud.account(name)
        monkeypatch.setenv(f"OSC_ACCESS_KEY{ending}", account.access_key)
        monkeypatch.setenv(f"OSC_SECRET_KEY{ending}", account.secret_key)
        if (ending, same) == ("_2", "_3"):
            monkeypatch.delenv("OSC_ACCESS_KEY_3")
            monkeypatch.delenv("OSC_SECRET_KEY_3")
        status, out, err = run(url, "--kind", "sharing")
        assert (status, out, err.count("\n"), problem in err) == (2, "", 1, True)

    @pytest.mark.parametrize(
        "text", ["[]", '{"work": 1}', '{"work": {"access_key": 1, "secret_key": "x"}}',
                 '{"work": {"access_key": "x", "secret_key": ["x"]}}',
                 '{"work": {"access_key": "x", "secret_key": "x", "region": 5}}'],
    )  # fmt: skip
    def test_of_a_profile_are_reported_in_one_line(
        self, run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        """A configuration file of another form is named, whatever the type of its values."""
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".osc").mkdir()
        (tmp_path / ".osc" / "config.json").write_text(text)
        status, _, err = run(url, "--profile", "work")
        assert (status, err.count("\n")) == (2, 1)
        assert "config.json must be a JSON object of profiles, each an object of texts" in err

    def test_of_missing_keys_are_reported(self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Without keys, the probe says how to give them."""
        monkeypatch.setenv("HOME", str(tmp_path))
        for ending in CALLERS:
            monkeypatch.delenv(f"OSC_ACCESS_KEY{ending}", raising=False)
            monkeypatch.delenv(f"OSC_SECRET_KEY{ending}", raising=False)
        assert run("http://127.0.0.1:1")[2].startswith("omisim probe: no keys: set OSC_ACCESS_KEY")

    @pytest.mark.parametrize(
        ("status", "body", "text"),
        [
            (200, b"<html>hello</html>", "ReadAccounts: the answer (200) is HTML, not JSON"),
            (200, b"[]", "ReadAccounts: the answer (200) is a JSON list, not an object"),
            (200, b"null", "ReadAccounts: the answer (200) is a JSON null, not an object"),
            (302, b"", "ReadAccounts: the answer (302) redirects to another URL"),
            (200, b"{}", "ReadAccounts of the first account shows no account"),
            (200, b'{"Accounts": "x"}', "ReadAccounts of the first account shows no account"),
            (200, b'{"Accounts": [3]}', "ReadAccounts of the first account shows no account"),
            (404, b"{}", "ReadAccounts: 404, code none"),
            (500, b"", "ReadAccounts: 500, code none"),
        ],
    )
    def test_of_an_endpoint_are_reported_in_one_line(
        self, run: Run, url: str, status: int, body: bytes, text: str
    ) -> None:
        """An endpoint that does not serve the API ends the run with status 2."""
        assert url
        with serve(status, body) as other:
            exit_status, out, err = run(other)
        assert (exit_status, out, err.count("\n")) == (2, "", 1)
        assert text in err

    def test_of_a_bucket_that_does_not_exist_are_reported(self, run: Run, url: str) -> None:
        """Experiments with a mistyped --bucket would seem to show that the endpoint differs."""
        status, _, err = run(url, "--rule", "OOS-007", "--bucket", "no-such-bucket")
        assert (status, err.count("--bucket no-such-bucket: 404, code NoSuchBucket")) == (2, 1)

    def test_of_the_search_for_leftovers_end_the_run(self, run: Run, url: str, cloud: Cloud) -> None:
        """An endpoint that stops answering before the first experiment could not be probed."""
        cloud.faults.add("ReadTags", drop=True, times=9)
        status, _, err = run(url, "--rule", "OMI-022")
        assert (status, "omisim probe: ReadTags: " in err, "Traceback" in err) == (2, True, False)

    @pytest.mark.parametrize(
        "arguments",
        [
            ("https://api.eu-west-2.outscale.com",),
            ("http://127.0.0.1.example",),
            ("http://127.0.0.1:1", "--fcu", "https://fcu.eu-west-2.outscale.com"),
            ("http://127.0.0.1:1", "--oos", "https://oos.eu-west-2.outscale.com"),
        ],
    )
    def test_of_a_host_that_is_not_loopback_are_asked_about(
        self, run: Run, url: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
    ) -> None:
        """Nothing is created on another host without a yes."""
        assert url
        monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
        status, _, err = run(*arguments)
        assert (status, err) == (2, "omisim probe: nothing was done: answer yes, or give --yes\n")
