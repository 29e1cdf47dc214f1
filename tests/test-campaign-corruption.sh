#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The corruption campaign in small: see tests/campaigns/corruption/README.md.
set -u
: "${srcdir:?}" "${builddir:?}" "${TESTTMP:?}"

echo 1..2
if CASES=400 JOBS=1 bash "$srcdir/tests/campaigns/corruption/run" >"$TESTTMP/out" 2>&1; then
    echo "ok 1 - 400 corruptions"
else
    echo "not ok 1 - 400 corruptions"
fi
sed 's/^/# /' "$TESTTMP/out"

# A case by itself is the same one, and says what was done.
CASE=7 bash "$srcdir/tests/campaigns/corruption/run" >"$TESTTMP/one" 2>&1
rc=$?
if [ "$rc" -eq 0 ] && grep -q '^# case 7: ' "$TESTTMP/one"; then
    echo "ok 2 - a case by its number"
else
    echo "not ok 2 - a case by its number"
    sed 's/^/# /' "$TESTTMP/one"
fi
