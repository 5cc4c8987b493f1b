"""Chargeback: spend assigned by tags and rules, shared costs split, statements, and the FOCUS export."""
