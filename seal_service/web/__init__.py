"""HTTP side of the seal service."""
