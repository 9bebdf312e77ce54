"""Training of networks; the only place that knows skorch."""
