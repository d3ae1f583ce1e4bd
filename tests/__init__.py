"""The tests: a package, since some installed ones bring a package of this name, which would go before a mere folder."""
