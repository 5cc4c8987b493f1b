"""What a call belongs to: session, step, user, budget and totals."""
