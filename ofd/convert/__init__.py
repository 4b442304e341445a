"""Converting between OFD and other formats."""
