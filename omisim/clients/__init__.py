"""In-process plumbing for clients: interception, the SDK gateway, boto3, environment variables, sleeping."""
