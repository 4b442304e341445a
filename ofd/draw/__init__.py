"""Drawing: a page becomes a scene (:mod:`ofd.draw.scene`), and a scene becomes SVG, PDF or PNG."""
