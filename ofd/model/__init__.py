"""What the parts of a document say, as immutable values (GB/T 33190-2016 §7 to §17)."""
