"""The container: ZIP packages read within limits and in one way only, and the links between files."""
