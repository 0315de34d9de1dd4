"""One line that says what is being measured and how long it will still take."""

import sys
import time


def in_words(seconds):
    seconds = int(round(max(seconds, 0)))
    return f"{seconds // 60} min {seconds % 60:02} s" if seconds >= 60 else f"{seconds} s"


class Estimate:
    """Remaining time of steps whose lengths are guessed, corrected by how long others took."""

    def __init__(self, expected):
        self._expected = list(expected)
        self._done = 0
        self._spent = 0.0

    def step_done(self, took_s):
        self._done += 1
        self._spent += took_s

    def step_dropped(self):
        del self._expected[self._done]

    @property
    def steps(self):
        return len(self._expected)

    @property
    def done(self):
        return self._done

    def remaining_s(self):
        guessed = sum(self._expected[: self._done])
        factor = self._spent / guessed if guessed else 1.0
        return factor * sum(self._expected[self._done :])


class Progress:
    def __init__(self, expected, out=sys.stderr, clock=time.monotonic):
        self._estimate = Estimate(expected)
        self._out = out
        self._clock = clock
        self._begun = clock()
        self._overwrites = out.isatty()

    def begin(self, what):
        self._begun = self._clock()
        e = self._estimate
        text = f"{e.done + 1}/{e.steps} {what}; {in_words(e.remaining_s())} left"
        if self._overwrites:
            self._out.write(f"\r\x1b[K{text[:110]}")
        else:
            self._out.write(text + "\n")
        self._out.flush()

    def end(self):
        self._estimate.step_done(self._clock() - self._begun)

    def drop(self):
        self._estimate.step_dropped()

    def say(self, text):
        self._out.write(f"\r\x1b[K{text}\n" if self._overwrites else text + "\n")
        self._out.flush()
