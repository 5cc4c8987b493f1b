"""Alerts: rules over the store, events that they find, and messages that report each once."""
