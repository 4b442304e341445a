"""The product put together: settings, wiring, web application, command line, portal, migrations."""
