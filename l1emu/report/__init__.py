"""Results for people: figures, the numbers behind them, and one page that holds everything.

alternatives  what each figure shows, in words
bits          figures of what one bit costs
boards        the figure of a network over several boards
figures       figures in CMS style, drawn from results alone
interactive   figures that a page can toggle, read and enlarge
page          one page that holds a whole result
pileups       rates of the menu against pile-up
ranges        what is assigned to the types of a network: how large, what overflows, what is rounded away
scan          the figure of a scan: latency against DSP and LUT with the Pareto fronts, and the roofline
seeds         figures of the seeds
stream        a folder with one simulation of the stream
style         what all figures share: CMS style, colours, labels, and how what has no room in a figure is written
tables        the numbers behind the figures, as data frames
turn_ons      turn-on curves, their fits, and where these reach 50 and 95 %
validation    the HT rate beside CMS's public curve
write         everything of a results folder but `results.json`
"""

from l1emu.report.write import write_report

__all__ = ["write_report"]
