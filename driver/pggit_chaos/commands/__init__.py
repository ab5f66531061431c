"""One command, one module: ``command`` in it is the click command of the module's name."""
