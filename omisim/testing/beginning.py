"""The beginning of a random history: its cloud, its accounts, and the resources that they begin with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import Bundle, initialize

from omisim.spec.catalog import QuotaName
from omisim.state.settings import Timing
from omisim.testing.empty_accounts import EmptyAccounts
from omisim.testing.events import Events
from omisim.testing.initial_resources import create, initial_resources
from omisim.testing.running import TestCaseProperty
from omisim.testing.strategies.request_builder import list_rows

if TYPE_CHECKING:
    from omisim.state.switch_types import Switches

__all__ = ["BUNDLES", "Beginning"]

X = TypeVar("X")

BUNDLES: Final[Mapping[str, Bundle[str]]] = {
    kind: Bundle(f"{kind}s")
    for kind in ("image", "snapshot", "volume", "vm", "image_export", "snapshot_export")
}  # fmt: skip

# what an account may begin with: the odds that it does, to one; and what each needs besides
_ODDS: Final = {"volume": 5, "snapshot": 5, "vm": 2, "image": 3, "shares": 7, "other vm": 2, "other boots": 1}
_NEEDED: Final = {"snapshot": ("volume",), "image": ("vm",), "shares": ("vm", "image"), "other boots": ("other vm",)}


@st.composite
def _some_resources(draw: Callable[[st.SearchStrategy[int]], int]) -> list[str]:
    """Draw which of the usual resources an account begins with; shrinks to none, one resource after the other."""
    # all is drawn whatever is used: a sequence of draws of one shape shrinks fast
    chosen = {name: bool(draw(st.integers(0, odds))) for name, odds in _ODDS.items()}
    return [name for name in chosen if chosen[name] and all(map(chosen.get, _NEEDED.get(name, ())))]


class Beginning(Events):
    """A machine whose histories begin with a cloud, its accounts and their resources."""

    accounts: ClassVar[Mapping[str, str]]
    quotas: ClassVar[Mapping[str, Mapping[QuotaName, int]]]
    actions: ClassVar[Collection[str]]
    timings: ClassVar[tuple[Timing, ...]]
    switches: ClassVar[Switches]
    starts_with: ClassVar[str | Mapping[str, int]]

    TestCase: ClassVar[Any] = TestCaseProperty()  # type: ignore[misc]  # Hypothesis's property returns its own class
    empty_accounts: ClassVar[EmptyAccounts] = EmptyAccounts()

    def __init_subclass__(cls) -> None:
        """Give the subclass counts of its own."""
        super().__init_subclass__()
        cls.empty_accounts = EmptyAccounts()

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        """Create the cloud and its accounts, and call `prepare`."""
        timing = self.timings[0] if len(self.timings) == 1 else data.draw(st.sampled_from(self.timings), label="timing")
        scenario = self.starts_with if isinstance(self.starts_with, str) else ""
        self.start_cloud(timing, self.accounts, switches=self.switches, quotas=self.quotas, scenario=scenario)
        self._data = data
        self.prepare()
        self._fill_bundles()

    def draw(self, strategy: st.SearchStrategy[X], label: str | None = None) -> X:
        """Draw a value, for an overridden `prepare`: what depends on drawn values shrinks with them."""
        drawn: X = self._data.draw(strategy, label=label)
        return drawn

    def prepare(self) -> None:
        """Create the resources of `starts_with` for each account, or by default some volumes, snapshots, VMs and OMIs.

        It runs once per history, before all rules. Override it to change the initial resources; `@initialize` rules
        are refused.
        """
        counts = self.starts_with
        if isinstance(counts, str):
            return
        for name in self.accounts:
            if counts:
                create(self, name, self.draw(initial_resources(counts), f"resources of {name}"))
            else:
                self._create_some(name, self.draw(_some_resources(), f"resources of {name}"))

    def _create_some(self, name: str, chosen: list[str]) -> None:
        if "volume" in chosen and "CreateVolume" in self.actions:
            self._create_disks(name, has_snapshot="snapshot" in chosen)
        if "CreateVms" in self.actions:
            self._create_vms(name, chosen)

    def _create_disks(self, name: str, *, has_snapshot: bool) -> None:
        volume = self.call(name, "CreateVolume", SubregionName=f"{self.accounts[name]}a", Size=10)
        self.finish()
        if volume and has_snapshot and "CreateSnapshot" in self.actions:
            volume_id = volume["Volume"]["VolumeId"]
            text = f"cloud.write({volume_id!r}, '/motd', {name!r})"
            self.do(text, lambda: self.cloud.write(volume_id, "/motd", name))
            self.call(name, "CreateSnapshot", VolumeId=volume_id)

    def _create_vms(self, name: str, chosen: list[str]) -> None:
        official = self.cloud.images.official("rhel", self.accounts[name]).image_id
        disk = {"DeviceName": "/dev/sdb", "Bsu": {"VolumeSize": 5, "DeleteOnVmDeletion": False}}
        vms = other = None
        if "vm" in chosen:
            vms = self.call(name, "CreateVms", ImageId=official, BlockDeviceMappings=[disk])
        if "other vm" in chosen:
            other = self.call(name, "CreateVms", ImageId=official, BootOnCreation="other boots" in chosen)
        if vms or other:
            self.finish()
        if other and "other boots" in chosen and "StopVms" in self.actions:  # a stopped VM that has run before
            self.call(name, "StopVms", VmIds=[other["Vms"][0]["VmId"]])
            self.finish()
        if vms and "image" in chosen and "CreateImage" in self.actions:
            request = {"VmId": vms["Vms"][0]["VmId"], "ImageName": "golden", "NoReboot": True}
            image = self.call(name, "CreateImage", **request)
            if "shares" in chosen:
                self._share(name, image)

    def _share(self, name: str, answer: dict[str, Any] | None) -> None:
        others = [self.account(other).account_id for other in self.accounts if other != name]
        if answer and others and "UpdateImage" in self.actions:
            share = {"Additions": {"AccountIds": others}}
            self.call(name, "UpdateImage", ImageId=answer["Image"]["ImageId"], PermissionsToLaunch=share)

    def _fill_bundles(self) -> None:
        """Add the ids of the accounts' resources to the bundles, oldest first."""
        owners = {self.account(name).account_id: name for name in self.accounts}
        for kind, bundle in BUNDLES.items():
            rows = [row for row in list_rows(self.cloud, kind) if row.account_id in owners]
            if rows:
                names = ", ".join(f"{bundle.name}_{number}" for number in range(len(rows)))
                note(f"{names} = {', '.join(f'{row.id} of {owners[row.account_id]}' for row in rows)}")
            self._add_results_to_targets((bundle.name,), [row.id for row in rows])  # type: ignore[no-untyped-call]

    def teardown(self) -> None:
        """End the history, and stop counting runs of rules when it has failed."""
        failure = sys.exc_info()[1]
        try:
            super().teardown()
        except Exception:
            self.empty_accounts.has_failed = True
            raise
        if isinstance(failure, Exception) and not isinstance(failure, HypothesisException):
            self.empty_accounts.has_failed = True
