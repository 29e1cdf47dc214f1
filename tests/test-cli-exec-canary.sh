#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn exec that fails: no value is left in its memory, nor told.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
mkdir work data
cd work || exit 99

head -c 60 /dev/urandom | base64 -w0 >../data/canary
kt -q set canary ../data/canary
printf 'a\0b' | kt -q set nul
printf 'K=keyturn:///canary\nPLAIN=%s\n' "$(<../data/canary)" >c.env
head -c 24 ../data/canary >../data/part
for words in '--env A=canary -- ./nosuch' '--env A=canary --env B=nosuch -- true' \
    '--env A=canary --env B=nul -- true' '--env-file c.env -- ./nosuch' \
    '--env A=canary --file B=canary --fd 9=canary -- ./nosuch' '--env-file c.env --env A=nosuch -- true'; do
    # shellcheck disable=SC2086 # words
    "${builddir:?}/tests/canary" ../data/canary "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -vv exec \
        $words >../out 2>../err 9>../code
    is "$words: not in memory at exit" "$?$(grep -c '^canary:' ../err)" 00
    is "$words: nor told" "$(cat ../out ../err | grep -cFf ../data/part)" 0
done
finish
