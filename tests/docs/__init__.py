"""The documentation says what is so: made pages are current, commands parse, links lead somewhere, paths can be walked."""
