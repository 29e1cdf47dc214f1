#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn conform: modules that keep their contract pass, and what is wrong with the others is said.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

export TMPDIR=$TESTTMP/tmp
mkdir "$TMPDIR"

# passes WHAT MODULE OPTION...: no check fails, and none dies
passes()
{
    local what=$1
    shift
    kt conform "$@"
    like "$what passes" "$rc $out" '^0 .*checks passed'
    unlike "$what: no check failed" "$out" 'failed'
}

passes 'mock_good' mock_good
like 'mock_good: all but what is for others' "$out" ' 2 skipped'
passes 'file' file "path=$TESTTMP/store.db" "key=$TESTTMP/store.key"
passes 'env, a file' env "file=$TESTTMP/.env"
is 'env: what the battery wrote is gone' "$(cat "$TESTTMP/.env")" ''
passes 'env, a file in a directory with blanks' env "file=$TESTTMP/a [b] c/.env" \
    "$(mkdir "$TESTTMP/a [b] c")name=%n"
passes 'env, the environment' env
like 'env, the environment: read only' "$out" 'an absent name is not_found'
unlike 'env, the environment: nothing is written' "$out" 'the longest value'
passes 'cache' cache
like 'cache: as a cache' "$out" 'ok +an absence is kept'
passes 'debug' debug
passes 'debug, told to fail' debug get=locked put=busy
passes 'debug, late' debug delay=1h
passes 'mock_hang' mock_hang
passes 'mock_slow' mock_slow delay=100ms
passes 'mock_short' mock_short
passes 'mock_newer' mock_newer

# fails WHAT PATTERN MODULE OPTION...
fails()
{
    local what=$1 pattern=$2
    shift 2
    kt conform "$@"
    is "$what: exit code of module_error" "$rc" 25
    like "$what: says so" "$out" "$pattern"
}

fails 'no value' 'failed +it opens and answers: .*not_found.*module_error: .*gave no value' mock_liar
fails 'two values' 'failed +it opens and answers: .*two values' mock_liar lie=twice
fails 'no status' 'failed +it opens and answers: .*4711' mock_liar lie=status
fails 'too long' 'failed +it opens and answers: .*over the limit' mock_liar lie=large
fails 'no id' 'failed +it opens and answers: .*without a version id' mock_liar lie=no-id
fails 'bad id' 'failed +it opens and answers: .*breaks the rules' mock_liar lie=id
fails 'stuck' 'failed +a call ends at its deadline: .*50 ms to live took' mock_stuck
export MOCK_RUDE_WAS_THERE=1
passes 'mock_rude, well-behaved' mock_rude
fails 'printing' "failed +it prints nothing: .*'who is there\\?'" mock_rude does=print
fails 'complaining' 'failed +it prints nothing: ' mock_rude does=complain
while read -r what pattern; do
    fails "$what" "failed +to load, open and ask it changes nothing [^:]*: it changed $pattern" \
        mock_rude "does=$what"
done <<'EOF'
setenv the environment variable MOCK_RUDE
unsetenv the environment variable MOCK_RUDE_WAS_THERE
handler what signal 10 \(SIGUSR1\) does
mask whether signal 12 \(SIGUSR2\) is blocked
chdir the working directory to '/'
locale the locale to
umask the umask from 077 to 000
EOF
fails 'a thread' 'failed +a call leaves no thread behind: get: ' mock_rude does=thread
fails 'a descriptor' 'failed +a call leaves no descriptor behind: get: 5 more' mock_rude does=leak
for seconds in 2 10 60; do # a slow machine needs some to get there
    kt --timeout "${seconds}s" conform mock_stuck delay=1h
    [[ $out != *'opens and answers'* ]] || break
done
is 'a module that hangs: exit code of timeout' "$rc" 8
like 'it is said where' "$out" 'failed +it opens and answers: did not end within '
like 'and in the end' "$err" "mock_stuck did not end within $seconds(.0s|s) \\(--timeout sets that\\)"
fails 'abort' 'failed +it opens and answers: was killed by signal 6' mock_crash
fails 'segmentation fault' 'failed +it opens and answers: was killed by signal 11' mock_crash how=segv
fails 'another ABI' 'failed +it loads.*ABI 4711' mock_badabi
kt conform no_such_module
is 'not installed: exit code of not_found' "$rc" 3
like 'not installed: says so' "$err" "no module 'no_such_module'"

is 'no service file of the battery is left' "$(ls -A "$TMPDIR")" ''

kt --json conform mock_good
is 'as JSON' "$(json out 'sorted({r["result"] for r in rows})')" "['ok', 'skipped']"
finish
