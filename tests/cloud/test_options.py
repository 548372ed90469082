"""The types of options: they name what the functions take."""

from __future__ import annotations

from omisim import Cloud
from omisim.clients.unit import OWN_OPTIONS
from omisim.cloud.options import CaseOptions, CloudOptions


def test_the_options_of_a_cloud_are_its_arguments() -> None:
    """Each argument of `Cloud` is an option of the same type for a type checker, so that an editor completes it."""
    arguments = {name: hint for name, hint in Cloud.__init__.__annotations__.items() if name != "return"}
    assert {name: hint.__forward_arg__ for name, hint in CloudOptions.__annotations__.items()} == arguments


def test_the_options_of_a_test_case_are_those_of_the_mixin_and_its_cloud() -> None:
    """`with_cloud` has the options of `CloudMixin.omisim` for a type checker."""
    assert CaseOptions.__annotations__.keys() - CloudOptions.__annotations__.keys() == set(OWN_OPTIONS)
