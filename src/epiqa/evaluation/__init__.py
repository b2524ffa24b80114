"""Question sets, measures and reports: what `epiqa evaluate` runs."""

from epiqa.evaluation.calibrate import Recalibration, calibrate
from epiqa.evaluation.report import flat_measures, write_report
from epiqa.evaluation.run import Evaluation, Mode, Outcome, evaluate

__all__ = [
    "Evaluation",
    "Mode",
    "Outcome",
    "Recalibration",
    "calibrate",
    "evaluate",
    "flat_measures",
    "write_report",
]
