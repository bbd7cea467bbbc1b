"""Declarative GitOps for machine learning: git is the only state."""

__version__ = "0.1.0"
