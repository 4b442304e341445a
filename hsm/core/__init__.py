"""The pure part of the encryption machine service: no I/O, no clock, no PKCS#11."""
