"""What each entrance says where the packages of an extra are not installed."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from support.forking import run_forked
from support.interpreter import TESTS

# an entrance → the missing package, and what the error names
ENTRANCES = {
    "alice.gateway()": [("osc_sdk_python", "osc"), ("requests", "osc"), ("urllib3", "osc")],
    "alice.client('oos')": [("boto3", "oos"), ("moto", "oos"), ("werkzeug", "oos")],
    "alice.client('fcu')": [("boto3", "fcu"), ("botocore", "fcu")],
    "cloud.serve()": [("cheroot", "server")],
    "cloud.serve(tls=True).__enter__()": [("trustme", "server"), ("cheroot", "server")],
    "alice.environment(server=True).__enter__()": [("cheroot", "server")],
    "import omisim.testing.strategies": [("hypothesis", "hypothesis")],
    "import omisim.testing.machine": [("hypothesis", "hypothesis")],
}
FIXTURES = {
    "omi_gateway": ("osc_sdk_python", "osc"),
    "omi_oos": ("moto", "oos"),
    "omi_fcu": ("botocore", "fcu"),
    "omi_server": ("cheroot", "server"),
}
COMMANDS = {
    "demo": [("rich", "all"), ("osc_sdk_python", "all"), ("moto", "all")],
    "serve --port 0": [("cheroot", "server")],
    "serve --port 0 --tls": [("trustme", "server")],
}
CASES = [(entrance, *case) for entrance, cases in ENTRANCES.items() for case in cases]


def run_without(package: str, code: str) -> str:
    """Run code where a package cannot be imported; return what it prints, or the text of its exception."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from omisim import Cloud\n"
        "cloud = Cloud(); alice = cloud.account('alice')\n"
        f"try:\n{indent(dedent(code), '    ')}\n"
        "except Exception as error: print(f'{type(error).__name__}: {error}')"
    )
    run = run_forked(code, TESTS, "omisim.cloud")
    assert (run.status, run.stderr) == (0, "")
    return run.stdout


class TestMissingExtra:
    @pytest.mark.parametrize(("entrance", "package", "extra"), CASES)
    def test_is_named_by_the_python_interface(self, entrance: str, package: str, extra: str) -> None:
        """An ImportError says which extra to install."""
        text = run_without(package, entrance)
        assert text.startswith("ImportError: ")
        assert f"pip install 'omisim[{extra}]'" in text

    @pytest.mark.parametrize("client", ["boto3", "requests"])
    def test_is_named_by_a_request_to_object_storage(self, client: str) -> None:
        """Without moto, a client of the code under test gets the name at once: not wrapped, and after one attempt."""
        code = """
            import requests, boto3
            with alice.environment():
                CALL
        """
        calls = {
            "boto3": "boto3.client('s3').list_buckets()",
            "requests": "requests.get('https://oos.eu-west-2.outscale.com/', timeout=1)",
        }
        text = run_without("moto", code.replace("CALL", calls[client]))
        assert text.startswith("NotServed: oos (GET https://oos.eu-west-2.outscale.com/)")
        assert "pip install 'omisim[oos]'" in text

    @pytest.mark.parametrize("fixture", FIXTURES)
    def test_is_named_by_a_fixture(self, fixture: str) -> None:
        """A test fails in one line."""
        package, extra = FIXTURES[fixture]
        code = f"""
            import os, pathlib, pytest, tempfile
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            path = pathlib.Path(tempfile.mkdtemp()) / "test_it.py"
            path.write_text("def test_it({fixture}): pass")
            pytest.main(["-q", "-p", "omisim.plugin", "-p", "no:cacheprovider", "-c", "/dev/null", str(path)])
        """
        text = run_without(package, code)
        assert f"pip install 'omisim[{extra}]'" in text
        assert "Traceback" not in text

    @pytest.mark.parametrize(
        ("command", "package", "extra"), [(command, *case) for command, cases in COMMANDS.items() for case in cases]
    )
    def test_is_named_by_the_command_line(self, command: str, package: str, extra: str) -> None:
        """A command ends with status 2 and one line."""
        code = f"""
            from contextlib import redirect_stderr
            from omisim.tools.cli import main
            with redirect_stderr(sys.stdout):
                print("status", main({command.split()!r}))
        """
        text = run_without(package, code)
        assert f"pip install 'omisim[{extra}]'" in text
        assert text.splitlines()[-1] == "status 2"

    @pytest.mark.parametrize("package", ["osc_sdk_python", "botocore", "httpx", "aiohttp"])
    def test_does_not_matter_to_an_environment(self, package: str) -> None:
        """An environment works without any of the libraries that it can reach."""
        assert run_without(package, "with alice.environment(): print(alice.read_vms())") == "()\n"
