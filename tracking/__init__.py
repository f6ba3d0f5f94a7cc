"""What is stored about sweeps and runs, and how it is written and read: the only package that imports mlflow.

Importing it is free: mlflow takes seconds to import and is loaded inside the functions that call it.
"""
