"""The process that we are in: where telemetry goes, patches, work in the background, and how processes end and fork."""
