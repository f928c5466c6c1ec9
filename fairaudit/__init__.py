"""Evaluate and audit the fairness of image generators."""

__version__ = "0.1.0"
