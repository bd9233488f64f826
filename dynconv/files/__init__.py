"""What is written is there whole or not at all, and by one process at a time.

whole       a draft, which takes a file's place when it is finished
locks       who waits for whom
"""
