"""Pure rules of e-seals: pictures, seal data, placement. No I/O, no clock, no randomness."""
