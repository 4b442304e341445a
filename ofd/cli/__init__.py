"""``xinyin ofd``."""
