"""Scenarios: TOML files that set up a cloud by calls of the API and of `Cloud`, so that every rule holds.

    [cloud]          the constructor's arguments: seed, timing, switches, catalog, auth, history, licences
    [durations]      "snapshot.pending" = 600, as in `cloud.durations`
    [accounts]       bob = { region = "us-east-2", alias = "bobs", quotas = { vm_limit = 2 } }
    [[steps]]        one call each; its transitions finish before the next step and take no time
    [[under_way]]    calls after all steps, in the cloud's own timing: their transitions may be in progress

A step names its call (`do`) and gives the parameters: an action of the API with the API's parameter names, a method of
`Cloud` (one of `script.PLATFORM`) with Python's names, or `oos.<method>` of a boto3 client of object storage. `by` is
the calling account (default: the first one). `as` names the created resource: `{name}` is its id in later steps,
`{name/dev/sda1}` the id of the volume or snapshot of its device, and `cloud.named` returns the same ids to a test.
`{alice}` is the account alice, `{official/debian}` an official OMI in the Region of the caller. `files` are written on
a new volume, or on the first volume of a new VM.
"""

from __future__ import annotations

from omisim.tools.scenario.reading import list_shipped, load_scenario

__all__ = ["list_shipped", "load_scenario"]
