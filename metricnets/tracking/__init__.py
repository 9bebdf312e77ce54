from metricnets.tracking._tracker import MetricTracker
