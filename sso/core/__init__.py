"""Pure protocol steps of OAuth 2.1 and OpenID Connect: no I/O, no clock, no randomness."""
