"""Modules that business systems copy: they need nothing of this product."""
