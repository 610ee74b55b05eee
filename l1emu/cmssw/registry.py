"""The stages by name, in the order of the trigger's chain."""

from l1emu.cmssw.stage import CmsStage
from l1emu.cmssw.stages.seeded_cone import SEEDED_CONE

STAGES: dict[str, CmsStage] = {stage.name: stage for stage in (SEEDED_CONE,)}
