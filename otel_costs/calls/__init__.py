"""A call: what is known of it, and the one writer of its span, ledger record, metrics and messages."""
