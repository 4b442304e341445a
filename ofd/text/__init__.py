"""The text of documents: in reading order with boxes, and searched."""
