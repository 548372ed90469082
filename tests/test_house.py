"""The house: what is public, what loads, and that the same calls give the same bytes everywhere."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import omisim
from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.cloud.account import Typed
from omisim.model.serialize import api_name, snake_name

SOURCES = sorted(Path(omisim.__file__).parent.rglob("*.py"))


def python(code: str, **environment: str) -> str:
    """Return what a fresh interpreter prints."""
    variables = dict(os.environ) | environment
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout


class TestPublicNames:
    def test_are_sorted_and_there(self) -> None:
        """`__all__` is sorted, and each name loads."""
        assert omisim.__all__ == sorted(omisim.__all__)
        assert all(getattr(omisim, name).__name__ == name for name in omisim.__all__)

    def test_unknown_ones_are_attribute_errors(self) -> None:
        """A name that is not there is refused as Python does."""
        with pytest.raises(AttributeError, match="no attribute 'Clowd'"):
            omisim.Clowd  # noqa: B018 - the access is the point

    def test_of_every_action_is_a_typed_method(self) -> None:
        """Each action served is a method of Account, under its snake_cased name."""
        bound = {name: value.action for name, value in vars(Account).items() if isinstance(value, Typed)}
        assert bound == {snake_name(name): name for name in ACTIONS}

    def test_of_typed_methods_take_parameters_by_name(self, alice: Account) -> None:
        """A positional parameter is a mistake in the caller's code."""
        with pytest.raises(TypeError, match="by name"):
            alice.delete_volume("vol-00000000")  # type: ignore[call-arg]

    def test_mistyped_in_a_typed_call_are_refused_with_a_hint(self, alice: Account) -> None:
        """A mistyped parameter of a typed call is refused by name. [REQ-008]"""
        with pytest.raises(ApiError, match="Did you mean volume_id"):
            alice.delete_volume(volumeid="vol-00000000")  # type: ignore[call-arg]

    @pytest.mark.parametrize("name", ["vm_id", "image_name", "bsu_optimized", "block_device_mappings"])
    def test_cross_the_boundary_one_to_one(self, name: str) -> None:
        """snake_case and the API's spelling are each other's inverse."""
        assert snake_name(api_name(name)) == name

    def test_are_documented(self) -> None:
        """Every action has a docstring, and a typed signature."""
        for action in ACTIONS.values():
            assert action.function.__doc__
            assert all(p.annotation is not p.empty for p in inspect.signature(action.function).parameters.values()), (
                action.name
            )


class TestImports:
    def test_of_the_package_load_no_third_party_module(self) -> None:
        """`import omisim`, and a cloud in use, load the standard library alone."""
        code = (
            "import sys; before = set(sys.modules)\n"
            "import omisim; c = omisim.Cloud(); c.account('a').call('ReadImages')\n"
            "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
        )
        assert python(code).split() == ["omisim"]

    def test_of_the_plugin_load_nothing_but_pytest(self) -> None:
        """The plugin's entry point costs nothing until a fixture is used."""
        code = (
            "import pytest, sys; before = set(sys.modules)\n"
            "import omisim.plugin\n"
            "print(*sorted(set(sys.modules) - before))"
        )
        assert python(code).split() == ["omisim", "omisim.plugin"]

    def test_below_the_edges_know_no_ambient_state(self) -> None:
        """No module of the core asks the machine for time, chance or its environment, clock.py excepted."""
        edges = ("base/clock.py", "clients/", "doors/oos/", "plugin.py", "server/", "tools/", "__main__.py")
        for source in SOURCES:
            if source.relative_to(SOURCES[0].parent).as_posix().startswith(edges):
                continue
            names = {
                alias.name.partition(".")[0]
                for node in ast.walk(ast.parse(source.read_text()))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
            }
            assert not names & {"time", "random", "uuid", "os", "secrets"}, source
            assert not re.search(r"datetime\.now\(|utcnow\(", source.read_text()), source


class TestDeterminism:
    def test_the_same_calls_give_the_same_bytes_in_every_process(self) -> None:
        """Same seed, same calls: the same dump, whatever PYTHONHASHSEED."""
        code = (
            "import json, omisim\n"
            "c = omisim.Cloud(seed=7); a = c.account('alice'); i = a.read_images()[3].image_id\n"
            "v = a.create_vms(image_id=i, max_vms_count=2)[0]\n"
            "m = a.create_image(vm_id=v.vm_id, image_name='golden')\n"
            "a.create_tags(resource_ids=[m.image_id], tags=[{'key': 'k', 'value': 'v'}])\n"
            "print(json.dumps([c.dump(), a.call('ReadImages'), a.call('ReadSnapshots')]))"
        )
        dumps = [python(code, PYTHONHASHSEED=seed) for seed in ("0", "1", "random")]
        assert len(set(dumps)) == 1
        assert json.loads(dumps[0])[0]["omisim"] == 1

    def test_another_seed_gives_other_ids(self) -> None:
        """The seed decides the ids."""
        assert Cloud(seed=1).account("alice").account_id != Cloud(seed=2).account("alice").account_id


class TestConstructor:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"timing": "slow"}, "eager, clock, manual"),
            ({"auth": "maybe"}, "strict, lenient, off"),
            ({"catalog": "none"}, "default"),
            ({"history": 0}, "from 1 up"),
            ({"switches": {"snapshot_cutt": 1}}, "snapshot_cut"),
            ({"switches": {"snapshot_cut": "never"}}, "'request', 'completion'"),
            ({"switches": {"OMI-022": "no-such-name"}}, "no name of errors"),
        ],
    )
    def test_refuses_unknown_values_with_the_list(self, arguments: dict[str, object], message: str) -> None:
        """A cloud is never made of a typing mistake."""
        with pytest.raises(ValueError, match=message):
            Cloud(**arguments)  # type: ignore[arg-type]

    def test_takes_another_error_for_a_rule(self) -> None:
        """A switch of a rule's id replaces its error. [OMI-022]"""
        cloud = Cloud(switches={"VOL-002": "invalid-zone"})
        with pytest.raises(ApiError, match="400 4081 InvalidParameterValue"):
            cloud.account("alice").create_volume(subregion_name="mars", size=1)

    def test_of_accounts_refuses_what_differs(self, cloud: Cloud, alice: Account) -> None:
        """A later use of an account's name returns it, and may not contradict the first."""
        assert cloud.account("alice", region="eu-west-2") is alice
        with pytest.raises(ValueError, match="exists already, with region='eu-west-2'"):
            cloud.account("alice", region="us-east-2")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [({"region": "mars"}, "eu-west-2, "), ({"quotas": {"vms": 1}}, "vm_limit")],
    )
    def test_of_accounts_refuses_unknown_values(self, cloud: Cloud, arguments: dict[str, object], message: str) -> None:
        """An unknown Region or quota is refused with the list."""
        with pytest.raises(ValueError, match=message):
            cloud.account("carol", **arguments)  # type: ignore[arg-type]
