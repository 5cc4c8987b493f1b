"""What things cost in time and memory, as ratios within one run."""
