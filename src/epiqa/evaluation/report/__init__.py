"""An evaluation as one HTML page that shows within a minute what to improve next.

The page is self-contained and asks for nothing; every string is escaped. Without its few lines of script it lacks
only the field that searches the table.
"""

from epiqa.evaluation.report.page import render_report, write_report
from epiqa.evaluation.report.summary import flat_measures

__all__ = ["flat_measures", "render_report", "write_report"]
