"""Worlds with known truth: an EVTX writer, dump writers and a fleet. The analysis never imports it."""
