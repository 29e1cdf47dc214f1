#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The fault campaign in small, and that it finds a failure that is not told.
set -u
: "${srcdir:?}" "${builddir:?}" "${TESTTMP:?}"
run=$srcdir/tests/campaigns/faults/run
export SEED=${SEED:-1}

echo '1..2'
mkdir "$TESTTMP/sound" "$TESTTMP/broken"
if ! TESTTMP=$TESTTMP/sound STRIDE=80 "$run" >"$TESTTMP/log" 2>&1; then printf 'not '; fi
echo 'ok 1 - faults are told, and harm nothing'
sed 's/^/# /' "$TESTTMP/log"
if BREAK=deaf TESTTMP=$TESTTMP/broken STRIDE=7 "$run" >"$TESTTMP/log" 2>&1 ||
    ! grep -q '^FAILED: .*: success' "$TESTTMP/log"; then
    printf 'not '
fi
echo 'ok 2 - the campaign finds a failure that was not told'
