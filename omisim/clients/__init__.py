"""Connect real clients to a cloud in the same process: interception, SDKs, environment variables, sleeping."""
