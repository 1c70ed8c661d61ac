"""The direction of what is published and of what we say about it, in a minute."""

from examples.reproduce_paper.estimators import Setting
from examples.reproduce_paper.one_by_one import Run, run_one_by_one
from examples.reproduce_paper.published import ROWS, Row

STEPS = 300
CHECKED = ("0.0 TopK 32", "0.9 TopK 32", "0.9 AEN 0.001/0.0001/0.5/0.9999/0.05")


def pick(key: str) -> Row:
    """Return the row with a key."""
    return next(row for row in ROWS if row.key == key)


def check_direction(jobs: int, steps: int, stop_at: float) -> list[tuple[str, bool]]:
    """Train three rows as published and one from the data; say what should hold, and whether."""
    free, topk, aen = map(pick, CHECKED)
    published = train([(free, 0), (topk, 0), (aen, 0)], "paper", jobs, steps, stop_at)
    (from_data,) = train([(topk, 0)], "data", jobs, steps, stop_at).values()
    free_dead, topk_dead, aen_dead = (published[row.key] for row in (free, topk, aen))
    return [
        (f"rho 0: few of TopK's features are dead ({free_dead:.1f} % < 20)", free_dead < 20),
        (f"rho .9: most of TopK's features are dead ({topk_dead:.1f} % > 80)", topk_dead > 80),
        (f"rho .9: fewer of AEN's ({aen_dead:.1f} %)", aen_dead < topk_dead - 2),
        (f"rho .9, init='data': few of TopK's ({from_data:.1f} % < 10)", from_data < 10),
    ]


def train(runs: list[Run], init: str, jobs: int, steps: int, stop_at: float) -> dict[str, float]:
    """Dead features in percent, by row."""
    setting = Setting(init=init, n_held_out=1_000).shortened(steps)
    records = run_one_by_one(runs, setting, jobs=jobs, device="cpu", stop_at=stop_at)
    return {record["row"]: record["dead"] for record in records}
