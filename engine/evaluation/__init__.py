"""Evaluation: how well questions find the memories that answer them, beside independent peers."""

from engine.evaluation.filling import Memories, fill
from engine.evaluation.plot import check_plot, plot
from engine.evaluation.questions import Question, read_questions
from engine.evaluation.report import METRICS, Report, Row
from engine.evaluation.run import METHODS, Method, Plan, Reporter, evaluate

__all__ = [
    "METHODS",
    "METRICS",
    "Memories",
    "Method",
    "Plan",
    "Question",
    "Report",
    "Reporter",
    "Row",
    "check_plot",
    "evaluate",
    "fill",
    "plot",
    "read_questions",
]
