#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The kill campaign in small, and that it finds a writer that acknowledges what is not yet done.
set -u
: "${srcdir:?}" "${builddir:?}" "${TESTTMP:?}"
run=$srcdir/tests/campaigns/kill/run
export SEED=${SEED:-1}

echo '1..2'
mkdir "$TESTTMP/sound" "$TESTTMP/broken"
if ! TESTTMP=$TESTTMP/sound KILLS=120 "$run" >"$TESTTMP/log" 2>&1; then printf 'not '; fi
echo 'ok 1 - what killed writers acknowledged is there'
sed 's/^/# /' "$TESTTMP/log"
if BREAK=early TESTTMP=$TESTTMP/broken KILLS=120 "$run" >"$TESTTMP/log" 2>&1 ||
    ! grep -q 'is not what was acknowledged' "$TESTTMP/log"; then
    printf 'not '
fi
echo 'ok 2 - the campaign finds what was acknowledged too early'
