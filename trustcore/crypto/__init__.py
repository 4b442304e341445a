"""Algorithms: the table, hash functions, SM2 through the system library, SM4, verification."""
