import numpy as np
import pytest

from sklearn_aensae.model_selection._folds import choose, within_one_standard_error

SCORES = np.array([[0.90, 0.80], [0.88, 0.80], [0.70, 0.70], [0.50, 0.40]])
L0 = np.array([[40.0, 44.0], [20.0, 22.0], [9.0, 11.0], [1.0, 3.0]])


def test_within_one_standard_error_by_hand():
    # The best mean is .85, its standard error .05: .84 is within, .7 is not.
    assert within_one_standard_error(SCORES, L0) == 1
    # Of one fold there is no error.
    assert within_one_standard_error(SCORES[:, :1], L0[:, :1]) == 0


def test_rules():
    assert choose(SCORES, L0, None, scored=False) == 1
    assert choose(SCORES, L0, None, scored=True) == 0
    assert choose(SCORES, L0, 21.0, scored=False) == 1
    assert choose(SCORES, L0, 10.0, scored=True) == 2
    with pytest.warns(UserWarning, match="the sparsest"):
        assert choose(SCORES, L0, 1.0, scored=False) == 3


@pytest.mark.parametrize("max_l0", [None, 30.0])
@pytest.mark.parametrize("scored", [True, False])
def test_strengths_without_a_score_are_passed_over(scored, max_l0):
    scores = SCORES.copy()
    scores[1, 0] = np.nan
    with pytest.warns(UserWarning, match="scoring gave NaN for 1 of 4 strengths"):
        assert choose(scores, L0, max_l0, scored) == (0 if max_l0 is None else 2)
    scores[:, 1] = np.nan
    with pytest.raises(ValueError, match="scoring gave NaN for each"):
        choose(scores, L0, max_l0, scored)
