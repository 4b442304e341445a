"""Reading PDF pages (ISO 32000-2) as scenes, so that they can be written as OFD."""
