"""libsdf: a cryptographic device of GM/T 0018 in software, for tests and demonstration only / 仅供测试与演示."""

from hsm.libsdf.build import library_path, library_sources

__all__ = ["library_path", "library_sources"]
