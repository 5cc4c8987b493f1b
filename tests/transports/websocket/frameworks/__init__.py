"""Programs on frameworks for voice, each run in an environment of its own: they talk, and print the ledger."""
