from metricnets.deep._ddml import DDML as DDML
from metricnets.deep._ddml import DDMLPairs as DDMLPairs
from metricnets.deep._dtml import DTML as DTML
from metricnets.deep._embedding import EmbeddingNet as EmbeddingNet
from metricnets.deep._hraml import HRAML as HRAML
from metricnets.deep._mahalanobis import Mahalanobis as Mahalanobis
from metricnets.deep.hashing._deep_hashing import DeepHashing as DeepHashing
from metricnets.deep.hashing._supervised_deep_hashing import SupervisedDeepHashing as SupervisedDeepHashing
