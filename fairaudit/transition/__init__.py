"""When to switch: the transition point of attribute switching, and how to find it."""
