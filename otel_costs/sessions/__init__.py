"""Whose a call is: session, step, user, budget and totals."""
