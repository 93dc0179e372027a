"""Readers of VPN gateways' logs."""
