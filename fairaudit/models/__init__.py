"""Generators: what is audited."""
