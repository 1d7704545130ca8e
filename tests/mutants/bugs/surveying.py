"""Planted bugs: what a survey counts, how sure it claims to be, and what its page lets in."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_LAWS = "tests/property/test_estate.py"

SURVEYING = Section(
    "Surveys",
    (
        Mutant(
            "draw-not-weighed",
            "a sample is not scaled up to the whole, and the estimates are far too low",
            in_symbol(
                "log_aggregator.steps.estate.draws:make_draw",
                ("weight /= likely", "weight /= 1.0"),
            ),
            proof=f"{_LAWS}::test_samples_are_unbiased",
        ),
        Mutant(
            "behind-a-series-lost",
            "keys sorted after dated names in the same folder are missing from the survey",
            in_symbol(
                "log_aggregator.steps.estate.tree:Looker._part_by_series",
                ("counted = self._tally(place, entries)", "counted = Tally()"),
            ),
            proof=f"{_LAWS}::test_places_cover_every_key_exactly_once",
        ),
        Mutant(
            "days-begin-with-days",
            "logs of 2025/1/10 also count for 2025/1/1",
            in_symbol(
                "log_aggregator.steps.estate.tree:OneDay.is_in",
                ("read is not None and read.date == self.day", "read is not None"),
            ),
            proof=f"{_LAWS}::test_places_cover_every_key_exactly_once",
        ),
        Mutant(
            "regions-are-groups",
            "each Region's part of a day counts as a group, so packing looks less worthwhile than "
            "it is",
            in_symbol(
                "log_aggregator.steps.estate.tree:Looker._is_in_another",
                ("any((self._has_keys(f'{folder}{path}') for folder in region.before))", "False"),
            ),
            proof=f"{_LAWS}::test_samples_are_unbiased",
        ),
        Mutant(
            "skewness-forgotten",
            "where few accounts hold most logs, the confidence interval ends below the true figure",
            in_symbol(
                "log_aggregator.core.estimates:estimate_total",
                ("reach * (1 + skewness)", "reach"),
            ),
            proof="tests/unit/core/test_estimates.py::test_intervals_contain_the_truth_as_often_as_promised",
        ),
        Mutant(
            "more-requests-than-allowed",
            "a survey of a large bucket sends requests without limit, and each is billed",
            in_symbol(
                "log_aggregator.steps.estate.pages:Allowance.take",
                ("self.used + requests > self._max", "False"),
            ),
            proof="tests/unit/steps/estate/test_estate_survey.py::test_a_bucket_that_needs_too_many_requests_is_reported",
        ),
        Mutant(
            "keys-as-html",
            "anyone who can write to a log bucket can put HTML into the survey page that a manager "
            "opens",
            in_symbol(
                "log_aggregator.reports.page.environment:_make_environment",
                ("escape(str(value))", "Markup(escape(str(value)))"),
            ),
            proof="tests/unit/reports/estate/test_survey_page.py::test_text_from_outside_is_escaped",
        ),
        Mutant(
            "names-in-plots-as-html",
            "an account name, or any name in a plot, is inserted into the page as HTML",
            in_symbol(
                "log_aggregator.reports.page.plots:html",
                ("escape_html(escape(text))", "escape(text)"),
            ),
            proof="tests/unit/reports/page/test_plots.py::test_names_in_plots_are_escaped",
        ),
    ),
)
