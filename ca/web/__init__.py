"""HTTP of the certification authority."""
