"""A topology that states its own times, as people write who have no budget: CMS Phase-2, jets one after the other."""

WHOLE = """\
name: CMS Phase-2, jet tagger in correlator layer 2

sources:                       # when the primitives of a crossing reach the correlator; the slowest decides
  - name: calorimeter and muon primitives
    latency: {bx: 200}
    source: "a test"
    verified: false
  - name: tracks
    latency: {bx: 200}
    source: "a test"
    verified: false

upstream:                      # stations between the sources and the time-multiplexed boards
  - name: correlator layer 1
    latency: {bx: 54}
    source: "a test"
    verified: false

boards:                        # correlator layer 2: board i takes the crossings i modulo count
  count: 6
  source: "a test"
  verified: true
  link:
    name: link to layer 2
    latency_cycles: 54         # serialisation, fibre and alignment: the 6 crossings set aside above
    words: 54                  # 9 frames a crossing at 360 MHz over 6 crossings
    clock_mhz: 360
    source: "a test"
    verified: false

jet_finder:
  latency_cycles: 306          # 34 crossings; with the 6 of gathering 40
  interval_cycles: 4           # 12 jets in 48 of the 54 cycles until the next event
  clock_mhz: 360
  max_jets: 12
  source: "a test"
  verified: false

queue:                         # between the jet finder and the tagger copies of one board
  depth: 12
  policy: drop                 # or block, which holds the jet finder back, or truncate, which lets the event go on
  source: "a choice of l1emu: one event of jets"
  verified: false

tagger:                        # overridden by --latency, --interval, --clock, --copies or by a study
  copies: 2                    # 12 jets of 8 cycles in 48 of the 54 cycles until the next event
  latency_cycles: 260
  interval_cycles: 8
  clock_mhz: 360
  source: "a test"
  verified: false

sort:                          # waits for the last jet of the event
  name: sort
  latency: {cycles: 18, clock_mhz: 360}
  source: "a choice of l1emu: 2 crossings"
  verified: false

downstream:
  - name: global trigger
    latency: {bx: 40}
    source: "about 1 µs with its links; from memory"
    verified: false
  - name: accept distribution
    latency: {bx: 40}
    source: "a test"
    verified: false

pipeline:
  depth_bx: 500
  source: "a test"
  verified: true

readout:
  max_accept_khz: 750
  source: "PoS LHCP2019 252; PoS LHCP2023 113"
  verified: true
  derandomizer:                # accepted events wait here to be read, one every 1/750 kHz
    depth: 64
    source: "a choice of l1emu"
    verified: false
  throttle:                    # accepts are inhibited from 48 waiting events until only 32 are left
    busy_at: 48
    ready_at: 32
    delay_bx: 40
    source: "a test"
    verified: false

# The Run-2/3 rules cannot all hold in Phase 2: 4 in 240 crossings allow 667 kHz at most, below the 750 kHz that the
# readout is built for. The Phase-2 set was not found. The three that are compatible with 750 kHz stand in for it.
trigger_rules:
  - {accepts: 1, crossings: 3, source: "a test", verified: false}
  - {accepts: 2, crossings: 25, source: "a test", verified: false}
  - {accepts: 3, crossings: 100, source: "a test", verified: false}

known_trigger_rules:           # data for comparison; put a set under trigger_rules to use it
  run-2-and-3:
    - {accepts: 1, crossings: 3, source: "CMSSW TriggerRulePrefireVetoFilter", verified: true}
    - {accepts: 2, crossings: 25, source: "CMSSW TriggerRulePrefireVetoFilter", verified: true}
    - {accepts: 3, crossings: 100, source: "CMSSW TriggerRulePrefireVetoFilter", verified: true}
    - {accepts: 4, crossings: 240, source: "CMSSW TriggerRulePrefireVetoFilter", verified: true}
"""
