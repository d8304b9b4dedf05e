#!/bin/sh
# Stands for the daemon in the tests of `check --host`: says what it was called with if asked to,
# answers as it is told, and ends as it is told.
[ -z "$SAY_ARGUMENTS" ] || echo "$*" >&2
[ -z "$ANSWER" ] || echo "$ANSWER"
[ -z "$SIGNAL" ] || kill "-$SIGNAL" $$
exit "${CODE:-0}"
