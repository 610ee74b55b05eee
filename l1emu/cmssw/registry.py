"""The stages by name, in the order of the trigger's chain."""

from l1emu.cmssw.stage import CmsStage
from l1emu.cmssw.stages.deregionizer import DEREGIONIZER
from l1emu.cmssw.stages.flow_barrel import FLOW_BARREL
from l1emu.cmssw.stages.flow_endcap import FLOW_ENDCAP
from l1emu.cmssw.stages.jet_tagger import FEATURES20, FEATURES20_TABLES, FEATURES21
from l1emu.cmssw.stages.puppi import PUPPI_BARREL, PUPPI_ENDCAP, PUPPI_FORWARD
from l1emu.cmssw.stages.regionizer_endcap import REGIONIZER_ENDCAP
from l1emu.cmssw.stages.regions import REGIONS
from l1emu.cmssw.stages.seeded_cone import SEEDED_CONE
from l1emu.cmssw.stages.sums import HT, MET, MHT
from l1emu.cmssw.stages.tracks import TRACKS

_STAGES = (
    TRACKS,
    REGIONS,
    REGIONIZER_ENDCAP,
    FLOW_BARREL,
    FLOW_ENDCAP,
    PUPPI_BARREL,
    PUPPI_ENDCAP,
    PUPPI_FORWARD,
    DEREGIONIZER,
    SEEDED_CONE,
    HT,
    MHT,
    MET,
    FEATURES20,
    FEATURES20_TABLES,
    FEATURES21,
)
STAGES: dict[str, CmsStage] = {stage.name: stage for stage in _STAGES}
