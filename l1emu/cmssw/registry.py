"""The stages by name, in the order of the trigger's chain."""

from l1emu.cmssw.stage import CmsStage
from l1emu.cmssw.stages.flow_barrel import FLOW_BARREL
from l1emu.cmssw.stages.flow_endcap import FLOW_ENDCAP
from l1emu.cmssw.stages.jet_tagger import FEATURES20, FEATURES20_TABLES, FEATURES21
from l1emu.cmssw.stages.seeded_cone import SEEDED_CONE
from l1emu.cmssw.stages.tracks import TRACKS

STAGES: dict[str, CmsStage] = {
    stage.name: stage
    for stage in (TRACKS, FLOW_BARREL, FLOW_ENDCAP, SEEDED_CONE, FEATURES20, FEATURES20_TABLES, FEATURES21)
}
