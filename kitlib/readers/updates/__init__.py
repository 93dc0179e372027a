"""Readers of update histories: what was installed, when, as one tool or another lists it."""
