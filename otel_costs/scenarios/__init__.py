"""Scripted conversations, run with the real client, and what they cost; the YAML files here come with the package."""
