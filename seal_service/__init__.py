"""E-seals: pictures, making, stamping of OFD and PDF, signing, verification."""
