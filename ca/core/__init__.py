"""What a certificate may say and how it is made, without I/O: profiles, lints, issuance."""
