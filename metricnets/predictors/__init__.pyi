from metricnets.predictors._aaknn import AAKNN as AAKNN
from metricnets.predictors._hamming_neighbors import HammingNeighbors as HammingNeighbors
from metricnets.predictors._mlknn import MLKNN as MLKNN
from metricnets.predictors._nearest_set import NearestSet as NearestSet
from metricnets.predictors._pairs_classifier import PairsClassifier as PairsClassifier
from metricnets.predictors._source_only import SourceOnly as SourceOnly
