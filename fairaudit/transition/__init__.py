"""When to switch: the transition point of attribute switching, and how to find it."""

BEST = "law"
"""The criterion that the evidence favours, and the only one whose points `auto` takes."""
