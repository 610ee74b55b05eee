"""Results for people: figures, the numbers behind them, and one page that holds everything."""

from l1emu.report.write import write_report

__all__ = ["write_report"]
