"""All queries of the encryption machine service."""
