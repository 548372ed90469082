"""Foreign byte formats, without any state: disk images, manifests, SSH keys, SigV4, recordings."""
