"""ASN.1: lenient reading that keeps the received bytes, strict DER encoding."""
