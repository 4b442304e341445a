"""Fonts: what text looks like, which characters a face has, subsets to embed."""
