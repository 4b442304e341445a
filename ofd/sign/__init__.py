"""Signing and sealing in two phases, so that the private key may be anywhere.

:mod:`~ofd.sign.seal` seals, :mod:`~ofd.sign.signature` signs without a seal, :mod:`~ofd.sign.archive` keeps signatures
verifiable for decades; :mod:`~ofd.sign.stamps` plans where seals are shown. Each ``prepare…`` answers with what has to
be signed, can be stored as JSON, and is completed with the signature, in memory or into a file.
"""
