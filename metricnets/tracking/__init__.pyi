from metricnets.tracking._scores import box_overlap as box_overlap
from metricnets.tracking._scores import center_error as center_error
from metricnets.tracking._tracker import MetricTracker as MetricTracker
