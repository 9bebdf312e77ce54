from metricnets.predictors._aaknn import AAKNN as AAKNN
from metricnets.predictors._knn_outlier_detector import KNNOutlierDetector as KNNOutlierDetector
from metricnets.predictors._mlknn import MLKNN as MLKNN
from metricnets.predictors._nearest_class_mean import NearestClassMean as NearestClassMean
from metricnets.predictors._open_set_knn import OpenSetKNN as OpenSetKNN
from metricnets.predictors._pairs_classifier import PairsClassifier as PairsClassifier
from metricnets.predictors._source_only import SourceOnly as SourceOnly
