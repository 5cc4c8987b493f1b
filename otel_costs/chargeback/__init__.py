"""Chargeback: whose the spend is by tags and rules, shared costs split, statements, and the FOCUS export."""
