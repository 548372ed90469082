"""Canonical hashes of states: equal where states differ only in names."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.checking import SMALL, make_copy_step, make_volume_step, take_step

from omisim.tools.check import Bounds, CheckStep, CheckWorld
from omisim.tools.check.canonical import Canonical


def compute_hash(world: CheckWorld, *steps: CheckStep) -> int:
    """Return the canonical hash of the state to which these calls lead, and undo them."""
    state, start = world.cloud.engine.state, world.cloud.engine.state.position
    canonical = Canonical(state.fork(), list(world.accounts.values()))
    for step in steps:
        world.take(step)
    state_hash = canonical.hash_state(state)
    state.undo_to(start)
    return state_hash


class TestStateHashes:
    def test_do_not_depend_on_which_account_acts(self) -> None:
        """The state is the same whether alice, bob or carol in another Region has made the resource."""
        world = CheckWorld(Bounds())
        elsewhere = CheckStep("carol", "create_volume", {"subregion_name": "cloudgouv-eu-west-1a", "size": 10})
        assert (
            len({compute_hash(world, step) for step in (make_volume_step("alice"), make_volume_step("bob"), elsewhere)})
            == 1
        )

    def test_do_not_depend_on_the_order_of_independent_calls(self) -> None:
        """Two independent calls lead to one state in either order, under other ids."""
        world = CheckWorld(SMALL)
        one, other = make_volume_step("alice"), make_copy_step(world, "bob")
        assert compute_hash(world, one, other) == compute_hash(world, other, one)

    def test_differ_for_states_that_behave_differently(self) -> None:
        """States that differ in an owner, a size, a state or a permission have different hashes."""
        world = CheckWorld(SMALL)
        alice = world.cloud.fork().account("alice")
        with alice.cloud.savepoint():
            volume_id = alice.create_volume(**make_volume_step("alice").arguments).volume_id
        image_id = alice.create_image(**make_copy_step(world, "alice").arguments).image_id
        share = {"additions": {"account_ids": (world.accounts["bob"].account_id,)}}
        states = [
            (),
            (make_volume_step("alice"),),
            (make_volume_step("alice", 20),),
            (make_volume_step("alice"), make_volume_step("alice")),
            (make_volume_step("alice"), make_volume_step("bob")),
            (make_volume_step("alice"), CheckStep("cloud", "complete", {"id": volume_id})),
            (make_copy_step(world, "alice"),),
            (make_copy_step(world, "alice"), make_volume_step("alice")),
            (make_copy_step(world, "alice"), make_volume_step("bob")),
            (
                make_copy_step(world, "alice"),
                CheckStep("alice", "update_image", {"image_id": image_id, "permissions_to_launch": share}),
            ),
        ]
        assert len({compute_hash(world, *steps) for steps in states}) == len(states)

    def test_differ_for_two_pairs_and_a_ring_of_four(self) -> None:
        """Two pairs of accounts that share with each other are not a ring of four, though each account looks alike."""
        world = CheckWorld(Bounds(accounts=4, regions=1, images=4))
        names = list(world.accounts)

        def compute_shared_hash(to: dict[str, str]) -> int:
            start = world.cloud.engine.state.position
            canonical = Canonical(world.cloud.engine.state.fork(), list(world.accounts.values()))
            for name, other in to.items():
                account = world.accounts[name]
                image = account.create_image(**make_copy_step(world, name).arguments)
                grant = {"additions": {"account_ids": [world.accounts[other].account_id]}}
                account.update_image(image_id=image.image_id, permissions_to_launch=grant)
            state_hash = canonical.hash_state(world.cloud.engine.state)
            world.cloud.engine.state.undo_to(start)
            return state_hash

        a, b, c, d = names
        pairs, ring = {a: b, b: a, c: d, d: c}, {a: b, b: c, c: d, d: a}
        assert compute_shared_hash(pairs) != compute_shared_hash(ring)
        assert compute_shared_hash(pairs) == compute_shared_hash({a: c, c: a, b: d, d: b})
        assert compute_shared_hash(ring) == compute_shared_hash({a: c, c: b, b: d, d: a})

    def test_differ_by_who_shares_with_whom(self) -> None:
        """Beside two volumes of one account, an OMI can be shared by one account with another in exactly seven ways."""
        world = CheckWorld(Bounds())
        numbers = Canonical(world.cloud.engine.state.fork(), list(world.accounts.values()))
        hashes: dict[tuple[str, ...], set[int]] = {}
        for _ in range(2):
            world.take(make_volume_step("alice"))
        for owner, other in permutations(world.accounts, 2):
            with world.cloud.savepoint():
                account, grantee = world.accounts[owner], world.accounts[other].account_id
                source: dict[str, Any] = {
                    "source_image_id": world.official[account.region],
                    "source_region_name": account.region,
                }
                image = account.create_image(**source)
                share = {"additions": {"account_ids": [grantee]}}
                account.update_image(image_id=image.image_id, permissions_to_launch=share)
                alike = ("carol" if owner == "dave" else owner, "carol" if other == "dave" else other)
                hashes.setdefault(alike, set()).add(numbers.hash_state(world.cloud.engine.state))
        assert [len(same) for same in hashes.values()] == [1] * 7
        assert len(set.union(*hashes.values())) == len(hashes)

    @settings(max_examples=20)
    @given(st.data())
    def test_do_not_change_under_any_renaming(self, data: Any) -> None:
        """Any history of other accounts, in the other Region, leads to the same state."""
        world, mirror = CheckWorld(Bounds()), CheckWorld(Bounds())
        ours, theirs = list(world.accounts), list(reversed(mirror.accounts))
        renamed = dict(zip(ours, theirs, strict=True))
        renamed |= {world.accounts[n].account_id: mirror.accounts[renamed[n]].account_id for n in ours}
        regions = list(world.official)
        renamed |= dict(zip(regions, reversed(regions), strict=True))
        renamed |= {f"{one}a": f"{other}a" for one, other in zip(regions, reversed(regions), strict=True)}
        renamed |= dict(zip(world.official.values(), reversed(world.official.values()), strict=True))
        numbers = [Canonical(w.cloud.engine.state.fork(), list(w.accounts.values())) for w in (world, mirror)]
        for _ in range(8):
            steps = [step for step in world.iter_steps() if "file_location" not in step.arguments]
            step = data.draw(st.sampled_from(steps))
            other = CheckStep(renamed.get(step.caller, step.caller), step.method, _rename(step.arguments, renamed))
            assert take_step(world, step) == take_step(mirror, other)
            assert numbers[0].hash_state(world.cloud.engine.state) == numbers[1].hash_state(mirror.cloud.engine.state)


def _rename(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _rename(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rename(item, names) for item in value)
    return names.get(value, value) if isinstance(value, str) else value
