"""OFD documents (GB/T 33190-2016) and electronic seals (GB/T 38540-2020): make, seal, read, verify.

* :mod:`ofd.build.document` makes documents, :mod:`ofd.fonts.faces` knows what text looks like;
* :mod:`ofd.package.reader` reads and writes packages, :mod:`ofd.structure` finds the parts in them;
* :mod:`ofd.ses.structure`, :mod:`ofd.ses.encode` and :mod:`ofd.ses.verify` are seals and their signatures;
* :mod:`ofd.sign.seal` seals a document in two phases, :mod:`ofd.verify.document` verifies one and
  answers with a report.
"""
