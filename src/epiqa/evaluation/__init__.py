"""Question sets, measures, comparisons and reports: what `epiqa evaluate` runs."""

from epiqa.evaluation.calibrate import Recalibration, calibrate
from epiqa.evaluation.compare import Difference, compare
from epiqa.evaluation.outcomes import Evaluation, Outcome, QueryOutcome
from epiqa.evaluation.report import flat_measures, write_report
from epiqa.evaluation.run import Mode, evaluate

__all__ = [
    "Difference",
    "Evaluation",
    "Mode",
    "Outcome",
    "QueryOutcome",
    "Recalibration",
    "calibrate",
    "compare",
    "evaluate",
    "flat_measures",
    "write_report",
]
