"""Scenarios: a TOML file that sets a cloud up by calls of the API and of `Cloud`, so that every rule holds in it.

    [cloud]          the constructor's arguments: seed, timing, switches, catalog, auth, history
    [durations]      "snapshot.pending" = 600, as in `cloud.durations`
    [accounts]       bob = { region = "us-east-2", alias = "bobs", quotas = { vm_limit = 2 } }
    [[steps]]        one call each; what it starts ends before the next one, and takes no time
    [[under_way]]    the same, after all steps and in the cloud's own timing: what they start may still be under way

A step says what it does (`do`) and gives the parameters of that: an action of the API with the API's names, a method of
`Cloud` (one of `script.PLATFORM`) with Python's, or `oos.<method>` of a boto3 client of object storage. `by` is the
account that does it, the first one unless told. `as` names what it makes: `{name}` stands for its id in later steps,
`{name/dev/sda1}` for the id of the volume or snapshot of its device, and `cloud.named` answers the same to a test. An
account's name stands for the account, `{official/debian}` for an official OMI in the Region of the caller. `files` are
written on a new volume, or on the first volume of a new VM.
"""

from __future__ import annotations

from omisim.tools.scenario.reading import list_shipped, load_scenario

__all__ = ["list_shipped", "load_scenario"]
