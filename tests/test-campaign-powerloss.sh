#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The power-loss campaign in small, and that it fails when it should: see
# tests/campaigns/powerloss/README.md.
set -u
: "${srcdir:?}" "${builddir:?}" "${TESTTMP:?}"

case ${CFLAGS:-} in
*-fsanitize=*)
    echo "1..0 # SKIP a sanitizer's runtime must be loaded first, and so must the shim"
    exit 0
    ;;
esac

tests=0

# result RC WHAT [FILE] - FILE says why
result()
{
    tests=$((tests + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tests - $2"
    else
        echo "not ok $tests - $2"
    fi
    if [ $# -gt 2 ]; then cut -c1-300 "$3" | sed 's/^/# /'; fi
}

# campaign BREAK - sets rc; $TESTTMP/out has what it says
campaign()
{
    local place=$TESTTMP/$1
    mkdir "$place"
    env TESTTMP="$place" KEEP="$TESTTMP" BREAK="$1" STATES="${2:-200}" OPS="${3:-60}" JOBS=1 \
        bash "$srcdir/tests/campaigns/powerloss/run" >"$TESTTMP/out" 2>&1
    rc=$?
}

campaign none 400 100
result "$rc" "nothing that was acknowledged is lost" "$TESTTMP/out"

# failed WHAT: not because it could not run, but because of what it found
failed()
{
    [ "$rc" -eq 1 ] && grep -q "FAILED with the power cut" "$TESTTMP/out"
    result $? "it is noticed $1"
}

campaign dirsync
failed "that directories are not synced"
campaign keysync
failed "that the key file is not synced"
campaign normal
failed "that synchronous is NORMAL"

# The last one's first failure, by the command that was printed.
again=$(sed -n 's/^  again: //p' "$TESTTMP/out" | head -n 1)
mkdir "$TESTTMP/again"
if [ -n "$again" ]; then
    (cd "$TESTTMP/again" && TMPDIR=$TESTTMP/again bash -c "$again") >"$TESTTMP/why" 2>&1
    [ $? -eq 1 ] && grep -q "FAILED with the power cut" "$TESTTMP/why"
    result $? "a failure can be had again"
else
    result 1 "a failure can be had again" "$TESTTMP/out"
fi
echo "1..$tests"
