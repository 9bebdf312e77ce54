"""Several tasks."""
