"""Encryption machines 加密机: keys that never leave them, behind one pool.

:class:`hsm.service.HsmService` opens the machines and is the :class:`trustcore.signing.Keys` of the product; nothing
above this package knows PKCS#11.
"""
