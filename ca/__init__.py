"""The certification authority: hierarchies, certificates, revocation lists, OCSP, time stamps."""
