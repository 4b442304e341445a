"""Electronic seals and seal signatures: GM/T 0031-2014, GB/T 38540-2020 and GM/T 0031-2025."""
