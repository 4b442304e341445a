"""The web shell: problem documents, callers, limits, pages in two languages."""
