"""A report by a form: for whoever has no command line. The notebook ``run_a_report`` shows it."""

from pay88kit.guide.report_form.form import ReportForm

__all__ = ["ReportForm"]
