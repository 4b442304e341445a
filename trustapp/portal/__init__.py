"""The pages that belong to no single service: start, interfaces, administration."""
