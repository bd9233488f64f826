"""The book's pen: plots, charts, tables and figures to touch, from plain arrays; nothing is
computed here.
"""
