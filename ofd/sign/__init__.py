"""Signing and sealing in two phases, so that the private key may be anywhere."""
