"""The data sets of the study: those of which_sae, and one where few of many are to be active."""

from collections.abc import Callable
from dataclasses import replace

from examples.which_sae import problems
from examples.which_sae.problems import Budget, Problem, language_model


def few_codes(budget: Budget) -> Problem:
    """Return the language model again, with eight components per feature and 8 of them active.

    A penalty that leaves so few is strong: whom the weights make it stronger for may starve.
    """
    problem = language_model(budget)
    n_components = 8 * problem.train.shape[1]
    return replace(problem, name=FEW, target=8, n_components=n_components)


FEW = "language model, few codes"
PROBLEMS: dict[str, Callable[[Budget], Problem]] = {**problems.PROBLEMS, FEW: few_codes}
