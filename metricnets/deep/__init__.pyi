from metricnets.deep._ddml import DDML as DDML
from metricnets.deep._ddml import DDMLPairs as DDMLPairs
from metricnets.deep._dtml import DTML as DTML
from metricnets.deep._embedding import EmbeddingNet as EmbeddingNet
from metricnets.deep._hraml import HRAML as HRAML
from metricnets.deep._isa import DNLML_ISA as DNLML_ISA
from metricnets.deep._isa import DNLML_ISA_Supervised as DNLML_ISA_Supervised
from metricnets.deep._mahalanobis import Mahalanobis as Mahalanobis
