"""SM2 arithmetic in C, the product's own: see ``sm2_native.h`` and docs/adr/0011-own-sm2-arithmetic.md.

The C files are compiled on the machine they run on (:mod:`trustcore.native`): into softgm, and by :mod:`.library` into
a library of their own that :mod:`trustcore.crypto.sm2` can verify signatures with.
"""
