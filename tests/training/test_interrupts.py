import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from sklearn_aensae.training.interrupts import holding_ctrl_c, noting_ctrl_c


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_is_noted_and_the_second_acts():
    owner = SimpleNamespace(interrupted_=False)
    with pytest.raises(KeyboardInterrupt), noting_ctrl_c(owner):
        press()
        assert owner.interrupted_
        press()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("context", [noting_ctrl_c, lambda _: holding_ctrl_c()])
def test_what_is_ignored_stays_so(context):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        owner = SimpleNamespace(interrupted_=False)
        with context(owner):
            press()
            press()
        assert not owner.interrupted_
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


NOTES = """
import os, signal
from types import SimpleNamespace
from sklearn_aensae.training.interrupts import noting_ctrl_c

signal.signal(signal.SIGINT, signal.SIG_DFL)
owner = SimpleNamespace(interrupted_=False)
with noting_ctrl_c(owner):
    os.kill(os.getpid(), signal.SIGINT)
    print("noted" if owner.interrupted_ else "missed", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("still there", flush=True)
"""


def test_the_second_ends_a_process_that_it_would_have_ended():
    command = [sys.executable, "-c", NOTES]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGINT, "noted\n")


def test_what_is_held_acts_afterwards():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with holding_ctrl_c():
            press()
            press()
            done.append(1)
        done.append(2)
    assert done == [1]
    owner = SimpleNamespace(interrupted_=False)
    with noting_ctrl_c(owner):
        with holding_ctrl_c():
            press()
            assert not owner.interrupted_
        assert owner.interrupted_


def test_other_threads_may_not_set_handlers():
    def inside():
        with noting_ctrl_c(SimpleNamespace(interrupted_=False)):
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() is signal.default_int_handler
