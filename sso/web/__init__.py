"""Endpoints and pages over HTTP."""
