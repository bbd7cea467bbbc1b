"""Deciding, without touching the world: (declared, observed, now) -> plan."""
