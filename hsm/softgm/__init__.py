"""softgm: a software encryption machine that knows SM2, SM3 and SM4, for tests and demonstration only / 仅供测试与演示.

The C sources beside this module are a PKCS#11 module that loads SoftHSM and adds SM2, SM3 and SM4 under the vendor
numbers of the Sansec family, and under numbers of its own what that family has no known ones for: SM4-GCM, HMAC with
SM3, SM2 key agreement and the SM2 envelope (``softgm.h``). They travel as package data and are compiled once, where
they are first needed, so that an installed wheel works as well as a checkout.
"""

from hsm.softgm.build import library_path, shim_path

__all__ = ["library_path", "shim_path"]
