"""The HTTP interface of the encryption machines."""
