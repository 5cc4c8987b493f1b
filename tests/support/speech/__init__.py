"""Stand-ins for vendors of speech on loopback, for their own packages to talk to."""
