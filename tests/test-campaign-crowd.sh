#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The crowd campaign in small, and that it fails when it should: see tests/campaigns/crowd/README.md.
# How long one put waits is not judged here: the machine may have other things to do.
set -u
: "${srcdir:?}" "${builddir:?}" "${TESTTMP:?}"

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

# campaign SECONDS BREAK PHASES - sets rc
campaign()
{
    env SECONDS="$1" SECRETS=100 KILL_MS=300 WAIT_MS=60000 BREAK="$2" PHASES="$3" \
        bash "$srcdir/tests/campaigns/crowd/run" >"$TESTTMP/out" 2>&1
    rc=$?
}

# noticed BREAK PATTERN - longer, until the slowest machine has had the time to get there
noticed()
{
    local seconds
    for seconds in 2 5 15; do
        campaign "$seconds" "$1" crowd
        if [ "$rc" -eq 1 ] && grep -q "$2" "$TESTTMP/out"; then return 0; fi
    done
    return 1
}

for seconds in 2 5 15; do
    campaign "$seconds" "" "crowd queue"
    grep -q "somebody did nothing" "$TESTTMP/out" || break
done
result "$rc" "nothing is lost, and there is no error that is only contention"

noticed cas "counted to"
result $? "a lost update is noticed"

noticed ack "the store says"
result $? "a write that was acknowledged and not made is noticed"

env SECONDS=1 SECRETS=100 WAIT_MS=0 PHASES=queue bash "$srcdir/tests/campaigns/crowd/run" \
    >"$TESTTMP/out" 2>&1
[ $? -eq 1 ] && grep -q "a put waited for" "$TESTTMP/out"
result $? "a put that waits for long is noticed"
echo "1..$tests"
