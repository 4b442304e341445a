"""A page viewer: pages as SVG from a server, one ES module in the browser, and what the seals are worth."""
