"""Verifying signatures and what they cover; the answer is a report."""
