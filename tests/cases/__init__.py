"""Forty cases in which instrumentations lose money or harm their host, each shown on the whole path.

The path is: a real client, a provider that misbehaves, the real SDK, and the bytes that the real exporter sends.
Numbers 1 to 40 are those of the list; number 39, which needs processes of its own, stands in `test_shutdown`.
"""
