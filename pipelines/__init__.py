"""What can be generated: one package per kind, one method per file. Imports studio.api alone."""
