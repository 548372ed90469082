"""The EC2-compatible protocol of OUTSCALE (FCU): query strings in, XML out. Needs the extra `fcu`.

The shapes of requests and answers are botocore's. The translation of each action into an action of omisim is a row of
a table (`images.toml`, `volumes.toml` and so on; `table.py` explains their form).
"""
