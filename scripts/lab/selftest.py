"""`lab selftest`: the lab proves itself before it judges the gateway."""

import sys
import unittest


def main():
    suite = unittest.defaultTestLoader.loadTestsFromNames(
        ["lab.tests.test_lab", "lab.tests.test_foreign"])
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed", flush=True)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
