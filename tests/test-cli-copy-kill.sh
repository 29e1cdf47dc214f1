#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn copy of 2,000 secrets with 3 versions each, killed several times; and fewer of them, interrupted,
# and beside others who write. In the end both stores are the same, and at no time does the target give
# anybody an older version.
#
# A copy under way writes its rows to a pipe, so that it is never further than what the test has read and
# what a pipe holds: about 300 rows.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

store=${builddir:?}/tests/copy-store
mkfifo rows

# file NAME: a service over an encrypted file of its own
file()
{
    service "$1" "read required file path=$TESTTMP/$1.db key=$TESTTMP/$1.key" 'write required file'
}

# same SOURCE TARGET: to the last attribute
# shellcheck disable=SC2317 # by way of ok
same()
{
    "$store" dump "$1" >"$1.dump" && "$store" dump "$2" >"$2.dump" && [ -s "$1.dump" ] &&
        cmp "$1.dump" "$2.dump"
}

# sound SOURCE TARGET: what is current there is current or previous here, and nothing is of unknown origin
# shellcheck disable=SC2317 # by way of ok
sound()
{
    "$store" ids "$1" >"$1.ids" && "$store" ids "$2" >"$2.ids" && python3 -c '
import sys
rows = [dict(), dict()]
for side in range(2):
    for line in open(sys.argv[1 + side]):
        name, version, stages, state = line.split()
        rows[side][name, version] = int(stages)
for key, stages in rows[1].items():
    assert key in rows[0], key
    assert not stages & 1 or rows[0][key] & 3, (key, stages)
assert rows[1]' "$1.ids" "$2.ids"
}

# start SOURCE TARGET [COMMAND...]: copy, by way of COMMAND; its pid is in $pid, its rows come at 3
start()
{
    local from=$1 to=$2
    shift 2
    "$@" "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" --json copy --from "$from" --to "$to" \
        >rows 2>err &
    pid=$!
    exec 3<rows
}

# rows_come N: read so many, and no more
# shellcheck disable=SC2317 # by way of ok
rows_come()
{
    local got
    mapfile -n "$1" -u 3 got
    [ "${#got[@]}" = "$1" ]
}

# end: read the rest, into the file rest; how the copy ended is in $rc
end()
{
    cat <&3 >rest
    exec 3<&-
    wait "$pid" 2>/dev/null
    rc=$?
}

# takes SIGNAL: wait until the copy takes it by itself
# shellcheck disable=SC2317 # by way of ok
takes()
{
    local i mask
    for ((i = 0; i < 3000; i++)); do
        mask=$(sed -n 's/^SigBlk:\t//p' "/proc/$pid/status" 2>/dev/null)
        [ -z "$mask" ] || (((0x$mask >> ($1 - 1)) % 2 == 0)) || return 0
        sleep 0.02
    done
    return 1
}

# ---- kill -9 ----

file a
file b
ok '2,000 secrets' "$store" fill a 1 2000 3
for rows in 10 700 1500 3000 4500; do
    start a b
    ok "a copy at row $rows" rows_come "$rows"
    kill -KILL "$pid"
    end
    is 'is killed' "$rc" 137
    ok 'nobody is given an older version' sound a b
done
kt copy --from a --to b
is 'it goes on' "$rc" 0
like 'where it ended' "$out" '^copied [0-9]+ secrets .* [0-9]+ there already'
ok 'both are the same' same a b
kt copy --from a --to b
is 'and nothing is left to do' "$rc $out" \
    '0 copied 0 secrets (0 versions) from a to b, 2000 there already'

# ---- Ctrl-C ----

file few
file c
ok '300 secrets' "$store" fill few 1 300 3
for signal in INT TERM HUP; do
    start few c env --default-signal="$signal"
    ok 'a copy under way' rows_come 40
    kill -s "$signal" "$pid"
    end
    is "SIG$signal ends it" "$rc" 9
    like 'in words' "$(<err)" "stopped at 'some/[0-9]+', after [0-9]+ of 300 secrets.*run it again to go on"
    is 'the summary is the last row' \
        "$(tail -1 rest | grep -c '"result":"summary","status":"cancelled"')" 1
    ok 'nobody is given an older version' sound few c
done
start few c bash -c 'trap "" HUP; exec "$@"' nohup
ok 'under nohup' rows_come 40
kill -HUP "$pid"
end
is 'SIGHUP does nothing, and the rest is copied' "$rc" 0
ok 'both are the same' same few c
service slow 'read required debug names=x delay=1h' 'write required debug'
start slow c
ok 'a store that does not answer' takes 15
kill -TERM "$pid"
end
is 'does not hold it up' "$rc" 9
like 'with a word' "$(<err)" "'slow' did not tell all its names, nothing was copied"

# ---- others who write ----

file d
start few d
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" copy --from few --to d >out2 2>err2 &
second=$!
end
wait "$second"
like 'two copies at once: nothing but conflicts' "$rc $?" '^(0|11) (0|11)$'
kt copy --from few --to d
is 'then all is there' "$rc" 0
ok 'and the same' same few d

file e
start few e
ok 'a copy, and somebody who writes there' rows_come 1
"$store" fill e 1 60 1
"$store" fill e 250 300 1
end
is 'is told of conflicts' "$rc" 11
"$store" ids e >e.ids
"$store" ids few >few.ids
is 'which took nothing away' \
    "$(python3 -c '
ours = {tuple(line.split()[:2]) for line in open("few.ids")}
theirs = [line.split() for line in open("e.ids") if tuple(line.split()[:2]) not in ours]
print(len(theirs), sum(int(stages) & 1 for _, _, stages, _ in theirs))')" '111 111'

finish
