from metricnets.deep._comparisons import QuadrupletsNet as QuadrupletsNet
from metricnets.deep._comparisons import TripletsNet as TripletsNet
from metricnets.deep._ddml import DDML as DDML
from metricnets.deep._ddml import DDMLPairs as DDMLPairs
from metricnets.deep._dtml import DTML as DTML
from metricnets.deep._embedding import EmbeddingNet as EmbeddingNet
from metricnets.deep._hraml import HRAML as HRAML
from metricnets.deep._mahalanobis import Mahalanobis as Mahalanobis
