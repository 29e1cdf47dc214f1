#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The keyring campaign in small, and that it fails when it should: see tests/campaigns/keyring/README.md.
set -u
: "${srcdir:?}" "${builddir:?}" "${TESTTMP:?}"

# shellcheck source=tests/secret-service.sh
. "$srcdir/tests/secret-service.sh"
needs_packages gnome-keyring-daemon:gnome-keyring
tests=0

# result RC WHAT - $TESTTMP/out says why
result()
{
    tests=$((tests + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tests - $2"
    else
        echo "not ok $tests - $2"
    fi
    cut -c1-300 "$TESTTMP/out" | sed 's/^/# /'
}

# campaign VARIABLE=VALUE...
campaign()
{
    env "$@" bash "$srcdir/tests/campaigns/keyring/run" >"$TESTTMP/out" 2>&1
}

campaign VALUES=150 RESTARTS=2 PARTS="values text"
result $? "values of any bytes come back, after restarts too"

campaign ROUNDS=1 PARTS=writers
result $? "twenty writers at once: nothing is lost, no error but conflict"

campaign KILLS=15 PARTS=kills
result $? "writers are killed: nothing acknowledged is lost, nothing is torn or left"

campaign ROUNDS=2 PARTS=writers BREAK=cas
[ $? -eq 1 ] && grep -q 'counted to' "$TESTTMP/out"
result $? "a lost update is noticed"

campaign ROUNDS=20 PARTS=writers BREAK=ack
[ $? -eq 1 ] && grep -qE 'counted to|, not |is gone' "$TESTTMP/out"
result $? "a write that was acknowledged and not made is noticed"
echo "1..$tests"
