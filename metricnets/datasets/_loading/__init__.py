"""Machinery of the loaders: download, file formats, results."""
