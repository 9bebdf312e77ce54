"""Data sets: loaders of public ones, and makers of synthetic ones.

Loaders download the files of a data set when they are first called, and return a Bunch, as scikit-learn's do.  Makers
draw samples with all kinds of targets, in which the metric that is to be learned is known.  Batches are tables that are
read a part at a time.
"""

from metricnets.datasets._banking77 import fetch_banking77
from metricnets.datasets._batches import Batches
from metricnets.datasets._binary_alphadigits import fetch_binary_alphadigits
from metricnets.datasets._caltech_silhouettes import fetch_caltech_silhouettes
from metricnets.datasets._kinfacew import fetch_kinfacew
from metricnets.datasets._ldl import fetch_ldl
from metricnets.datasets._make_domains import make_domains
from metricnets.datasets._make_labels import make_label_distributions, make_label_sets
from metricnets.datasets._make_metric import make_pairs, make_planted_metric
from metricnets.datasets._make_sets import make_sets
from metricnets.datasets._make_tasks import make_tasks
from metricnets.datasets._make_tracking import make_tracking_sequence
from metricnets.datasets._make_views import make_views
from metricnets.datasets._mnist_usps import fetch_mnist_usps
from metricnets.datasets._mulan import fetch_mulan
from metricnets.datasets._office_caltech import fetch_office_caltech
from metricnets.datasets._viper import fetch_viper
from metricnets.datasets._wikipedia import fetch_wikipedia

__all__ = [
    "Batches",
    "fetch_banking77",
    "fetch_binary_alphadigits",
    "fetch_caltech_silhouettes",
    "fetch_kinfacew",
    "fetch_ldl",
    "fetch_mnist_usps",
    "fetch_mulan",
    "fetch_office_caltech",
    "fetch_viper",
    "fetch_wikipedia",
    "make_domains",
    "make_label_distributions",
    "make_label_sets",
    "make_pairs",
    "make_planted_metric",
    "make_sets",
    "make_tasks",
    "make_tracking_sequence",
    "make_views",
]
