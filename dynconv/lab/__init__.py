"""The laboratory: data made for the subject, training runs, and what a trained network does with
its routing.
"""
