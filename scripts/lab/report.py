"""What a run prints: steps with expected, seen and ok/FAILED, and the closing count."""

import sys
import textwrap

_INDENT = "       "


class Report:
    """Collects results and prints them as they come."""

    def __init__(self, colour=False, out=None):
        self.passed = 0
        self.failed = 0
        self._colour = colour
        self._out = out or sys.stdout

    def line(self, text=""):
        print(text, file=self._out, flush=True)

    def title(self, text):
        self.line()
        self.line(self._paint("1", text))

    def say(self, text):
        self.line(textwrap.fill(text, 98, initial_indent="  ", subsequent_indent="  "))

    def block(self, text):
        """Output of a command, as it was."""
        for line in text.rstrip().splitlines():
            self.line(f"{_INDENT}{line}")

    def step(self, number, what, expected, seen, passed):
        """One step of a walk: what happens, what was expected and seen, the verdict."""
        self.line(textwrap.fill(what, 98, initial_indent=f"  {number:>2}.  ",
                                subsequent_indent=_INDENT))
        self.line(f"{_INDENT}expected  {expected}")
        for index, line in enumerate(seen if isinstance(seen, list) else [seen]):
            self.line(f"{_INDENT}{'seen      ' if index == 0 else '          '}{line}")
        self.line(f"{_INDENT}{self._count(passed)}")
        return passed

    def check(self, claim, passed, detail=""):
        """One line: a claim, the verdict, and what was seen when it does not hold."""
        verdict = self._count(passed)
        self.line(f"  {verdict:<6} {claim}")
        if detail and not passed:
            for line in str(detail).splitlines():
                self.line(f"         {line}")
        return passed

    def close(self):
        """The closing line; returns the exit code."""
        self.line()
        self.line(f"{self.passed} passed, {self.failed} failed")
        return 0 if self.failed == 0 and self.passed > 0 else 1

    def _count(self, passed):
        if passed:
            self.passed += 1
            return self._paint("32", "ok")
        self.failed += 1
        return self._paint("31", "FAILED")

    def _paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
