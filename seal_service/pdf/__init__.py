"""Seals on PDF: PAdES B-T, the Chinese ``GM.sm2seal`` form, and the verification of both."""
