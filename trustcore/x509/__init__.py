"""X.509 (RFC 5280, GM/T 0015), CMS (RFC 5652, GB/T 35275), OCSP (RFC 6960) and time stamps (RFC 3161), without I/O."""
