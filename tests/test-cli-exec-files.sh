#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn exec: files under a path of the program's own, and what is left of any file when everything
# is killed: nothing.
# shellcheck disable=SC2016,SC2317 # quoted programs are for the shell inside; functions are called by name
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
mkdir work data
cd work || exit 99
head -c 60 /dev/urandom | base64 -w0 >../data/canary
head -c 65536 /dev/urandom >../data/big
for name in canary big; do
    kt -q set "$name" ../data/$name
done

# refused WHAT PATTERN ARGUMENT...
refused()
{
    local what=$1 pattern=$2
    shift 2
    kt exec "$@" -- touch ran
    is "$what: 125, and nothing runs" "$rc$out$(ls ran 2>/dev/null)" 125
    like "$what: one line" "$(wc -l <"$TESTTMP/err") $err" "^1 keyturn: .*$pattern"
}

# ---- where the kernel does not allow it ------------------------------------------------------------

cat >../deny.c <<'EOF'
#include <errno.h>

int unshare(int flags)
{
    (void)flags;
    errno = EPERM;
    return -1;
}
EOF
mkdir empty && touch covered
if ${CC:-cc} -shared -fPIC -o ../deny.so ../deny.c 2>/dev/null && ! grep -aqE '__(asan|tsan)_init' "$KEYTURN"; then
    LD_PRELOAD=${LD_PRELOAD:+$LD_PRELOAD:}$TESTTMP/deny.so kt --json exec --mount empty/key=canary -- touch ran
    is 'not allowed here: unsupported, and nothing runs' \
        "$rc $(json "$TESTTMP/err" 'rows[-1]["status"]')$(ls ran 2>/dev/null)" '125 unsupported'
    like 'not allowed here: the remedy' "$err" '[-]-file'
fi

refused 'no such file in a directory that is not empty' 'install -m 600 /dev/null ./nosuch' \
    --mount ./nosuch=canary
refused 'no such directory' 'No such file' --mount nosuch/key=canary
refused 'a directory' 'it is a directory; .* empty/NAME' --mount empty=canary
refused 'a directory with a slash' 'it is a directory; .* empty/NAME' --mount empty/=canary
refused 'the same twice' 'given twice' --mount empty/key=canary --mount empty/key=big
refused 'a file, which cannot be renewed' 'covered cannot be renewed' --watch --signal HUP \
    --mount covered=canary
refused 'an unknown secret' 'nosuch' --mount empty/key=nosuch

# ---- where it does ---------------------------------------------------------------------------------

kt exec --mount empty/key=canary -- true
if [ "$rc" -ne 0 ]; then
    for what in 'two files in an empty directory, one over another file' \
        'nobody else sees them' 'who one is stays' 'a process apart'; do
        tests=$((tests + 1))
        echo "ok $tests - $what # SKIP the kernel allows no mount namespace: $err"
    done
else
    echo real >covered
    kt exec --mount empty/key=canary --mount empty/big=big --mount "$PWD/covered=canary" \
        --file F=big --env K=canary -- sh -c '
            ls empty | tr "\n" " "
            stat -c "%a" empty/key covered | tr "\n" " "
            cmp empty/key ../data/canary && cmp empty/big ../data/big && cmp covered ../data/canary &&
                cmp "$F" ../data/big && [ "$K" = "$(cat ../data/canary)" ] && echo same
            sh -c "cmp empty/key ../data/canary" && echo again
            { echo x >>covered; } 2>/dev/null || echo kept'
    is 'two files in an empty directory, one over another file' \
        "$rc $(head -2 <<<"$out" | tr '\n' ' ')$err" '0 big key 400 400 same again '
    is 'nobody else sees them' "$(ls -A empty)$(<covered)" real
    kt exec --mount empty/key=canary -- sh -c 'id -u; id -g; pwd'
    is 'who one is stays, and where' "$out" "$(id -u; id -g; pwd)"
    "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --mount empty/key=canary -- \
        sh -c 'echo $$' >../out &
    pid=$!
    wait $pid
    is 'keyturn becomes the program: same process' "$(<../out)" "$pid"
    kt exec --mount empty/key=canary -- sh -c 'kill -KILL $$'
    is 'signals pass' "$rc" 137
    kt exec --mount empty/key=canary -- ./nosuch
    is 'no such program: 127' "$rc" 127
    mkdir other
    kt exec --mount empty/a=canary --mount other/b=big -- sh -c 'cat empty/a other/b | cmp - <(cat ../data/canary ../data/big)' 2>/dev/null
    kt exec --mount empty/a=canary --mount other/b=big -- sh -c 'cat empty/a other/b >../out2'
    is 'two directories' "$rc$(cat ../data/canary ../data/big | cmp - ../out2)" 0
fi

# ---- everything killed -------------------------------------------------------------------------------

# files that appeared since the mark and have the canary, anywhere that is for files of the moment
left_behind()
{
    find "${TMPDIR:-/tmp}" /tmp /var/tmp /dev/shm /run "$XDG_RUNTIME_DIR" -xdev -type f -newer ../mark \
        -size -2000k ! -path "$TESTTMP/data/*" -exec grep -lF "$(<../data/canary)" {} + 2>/dev/null
}
touch ../mark
sleep 0.01
cp ../data/canary found
like 'control: a copy is found' "$(left_behind)" found
rm found

await()
{
    for _ in {1..600}; do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}
killed()
{
    local what=$1
    shift
    rm -f ../up
    "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec "$@" --env K=canary -- \
        sh -c 'echo $$ >../up.new; mv ../up.new ../up; exec sleep 600' 2>../err &
    pid=$!
    ok "$what: runs" await test -s ../up
    program=$(<../up)
    kill -KILL "$pid" "$program" 2>/dev/null
    wait $pid 2>/dev/null
    gone() { ! kill -0 "$program" 2>/dev/null || grep -q '^State:.Z' "/proc/$program/status"; }
    ok "$what: ends" await gone
    is "$what: leaves no file" "$(left_behind)$(ls -A empty)" ''
}
killed 'the program' --file F=canary
killed 'keyturn and the program' --file F=canary --watch
killed 'keyturn, program and holder' --file F=canary --watch --signal HUP
if "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --mount empty/key=canary true 2>/dev/null; then
    killed 'with a mount' --file F=canary --mount empty/key=canary
    killed 'with a mount that is renewed' --mount empty/key=canary --watch --signal HUP
fi

# keyturn alone: the program is told to end
rm -f ../up
"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --watch --env K=canary -- \
    sh -c 'trap "echo told >../told; exit" TERM; echo $$ >../up.new; mv ../up.new ../up; while :; do sleep 0.1; done' &
pid=$!
ok 'keyturn alone: runs' await test -s ../up
kill -KILL $pid
wait $pid 2>/dev/null
ok 'keyturn alone: the program is told to end' await test -s ../told
kill -KILL "$(<../up)" 2>/dev/null # if it was not
finish
