"""Run the AWS command line from PyPI against a server of ours: `python tests/clients/aws_suite.py`.

It is installed into a temporary directory, because it pins old versions of other packages. The commands are those of
Packer's amazon-ebs builder, and the reads that page by themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omisim import Cloud

AWSCLI = "awscli==1.46.3"


def main() -> int:
    """Install the program, run the commands, and print each; an error ends the run."""
    cloud = Cloud()
    alice = cloud.account("alice")
    with TemporaryDirectory() as place, cloud.serve() as server:
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-warn-script-location", "--target", place, AWSCLI]
        subprocess.run(install, check=True)
        environment = {**os.environ, **server.env(alice), "PYTHONPATH": place, "AWS_PAGER": "", "HOME": place}

        def aws(*words: str) -> Any:
            print("aws ec2", *words)
            command = [sys.executable, str(Path(place, "bin", "aws")), "ec2", *words]
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if run.returncode:
                raise SystemExit(run.stderr)
            return json.loads(run.stdout) if run.stdout.strip() else None

        name = "Name=name,Values=Ubuntu*"
        ami = aws("describe-images", "--owners", "Outscale", "--filters", name, "--max-items", "1")["Images"][0][
            "ImageId"
        ]
        aws("create-key-pair", "--key-name", "packer")
        launched = aws("run-instances", "--image-id", ami, "--key-name", "packer", "--instance-type", "t2.small")
        vm = launched["Instances"][0]["InstanceId"]
        aws("wait", "instance-running", "--instance-ids", vm)
        aws("stop-instances", "--instance-ids", vm)
        aws("wait", "instance-stopped", "--instance-ids", vm)
        image = aws("create-image", "--instance-id", vm, "--name", "golden")["ImageId"]
        aws("wait", "image-available", "--image-ids", image)
        aws("modify-image-attribute", "--image-id", image, "--description", "made by packer")
        aws("modify-image-attribute", "--image-id", image, "--launch-permission", "Add=[{Group=all}]")
        aws("create-tags", "--resources", image, "--tags", "Key=os,Value=ubuntu")
        images = aws("describe-images", "--filters", "Name=tag:os,Values=u*")["Images"]
        assert [(i["ImageId"], i["Description"], i["Public"]) for i in images] == [(image, "made by packer", True)]
        aws("terminate-instances", "--instance-ids", vm)
        aws("wait", "instance-terminated", "--instance-ids", vm)
        aws("delete-key-pair", "--key-name", "packer")
        assert len(aws("describe-images", "--owners", "Outscale", "--page-size", "5")["Images"]) > 5
        assert aws("describe-regions")["Regions"][0]["Endpoint"].startswith("fcu.")
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
