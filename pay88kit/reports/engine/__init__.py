"""papermill's engine ``pay88-fork``, and the processes in which it runs a report's cells."""
