"""Determinism: the same seed and the same calls give the same bytes."""

from __future__ import annotations

import json

from support.interpreter import run_python

from omisim import Cloud


def test_same_calls_give_the_same_bytes_in_every_process() -> None:
    """The same seed and calls give the same dump and answers, whatever PYTHONHASHSEED is."""
    code = (
        "import json, omisim\n"
        "c = omisim.Cloud(seed=7); a = c.account('alice'); i = a.read_images()[3].image_id\n"
        "v = a.create_vms(image_id=i, max_vms_count=2)[0]\n"
        "m = a.create_image(vm_id=v.vm_id, image_name='golden')\n"
        "a.create_tags(resource_ids=[m.image_id], tags=[{'key': 'k', 'value': 'v'}])\n"
        "print(json.dumps([c.dump(), a.call('ReadImages'), a.call('ReadSnapshots')]))"
    )
    dumps = [run_python(code, PYTHONHASHSEED=seed) for seed in ("0", "1", "random")]
    assert len(set(dumps)) == 1
    assert json.loads(dumps[0])[0]["omisim"] == 2


def test_another_seed_gives_other_ids() -> None:
    """The seed determines the ids."""
    assert Cloud(seed=1).account("alice").account_id != Cloud(seed=2).account("alice").account_id
