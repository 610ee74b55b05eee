"""The stages by name, in the order of the trigger's chain."""

from l1emu.cmssw.stage import CmsStage
from l1emu.cmssw.stages.flow_barrel import FLOW_BARREL
from l1emu.cmssw.stages.flow_endcap import FLOW_ENDCAP
from l1emu.cmssw.stages.seeded_cone import SEEDED_CONE

STAGES: dict[str, CmsStage] = {stage.name: stage for stage in (FLOW_BARREL, FLOW_ENDCAP, SEEDED_CONE)}
