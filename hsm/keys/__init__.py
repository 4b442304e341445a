"""The life of keys: made, replicated, used, retired, destroyed."""
