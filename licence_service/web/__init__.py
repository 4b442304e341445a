"""E-licences over HTTP: the JSON interface and the citizens' pages."""
