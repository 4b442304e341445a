"""Foundations: errors, the signing port, cryptography, ASN.1, X.509, database, audit, settings, web shell.

Imports no other package of the product.
"""
