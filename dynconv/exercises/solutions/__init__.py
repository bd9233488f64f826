"""Reference solutions, one module per chapter. The book shows them on pages of their own."""
