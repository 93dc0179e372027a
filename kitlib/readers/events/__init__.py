"""Readers of event logs that another program has read and written again."""
