"""Alerts: rules over the store, events that they find, and messages that tell of them once."""
