"""Metrics: which there are, how they are measured with an interval, and how thresholds judge them."""
