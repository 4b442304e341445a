"""OFD documents (GB/T 33190-2016) and electronic seals (GB/T 38540-2020): make, seal, read, verify.

* :mod:`ofd.build` makes documents, :mod:`ofd.fonts` knows what text looks like;
* :mod:`ofd.package` reads and writes packages, :mod:`ofd.structure` finds the parts in them;
* :mod:`ofd.ses`, :mod:`ofd.ses_encode` and :mod:`ofd.ses_verify` are seals and their signatures;
* :mod:`ofd.seal` seals a document in two phases, :mod:`ofd.verify` verifies one and answers with a report.
"""
