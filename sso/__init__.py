"""Single sign-on: an OpenID Connect provider, the people and applications it knows, and the login of our own pages."""
