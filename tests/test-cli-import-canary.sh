#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# import and export leave no value in memory when they end, in no message, and in no file but those that
# are named.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
service other "read required file path=$TESTTMP/o.db key=$TESTTMP/o.key" 'write required file'
mkdir data logs scratch open
export TMPDIR=$TESTTMP/scratch
head -c 60 /dev/urandom | base64 -w0 >data/canary
value=$(<data/canary)
canary=${builddir:?}/tests/canary
printf '# here\nKEY="%s"\nOTHER=x\n' "$value" >data/.env
printf '{"a":{"b":"%s"},"c":"%s"}' "$value" "${value//\//\\/}" >data/values.json
printf '[{"name":"n","value":"%s"},]' "$value" >data/bad.json
printf '[s]\nu = \n\t%s\n' "$(base64 -w0 data/canary)" >data/keyring_pass.cfg

# quiet CODE WHAT ARGUMENT...: run keyturn; its memory holds no canary when it exits, its words never
quiet()
{
    local code=$1 what=$2
    shift 2
    "$canary" data/canary "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" "$@" \
        >"$TESTTMP/logs/out" 2>"logs/err" 9>code </dev/null
    is "$what: not in memory at exit" "$? $(grep -c '^canary:' logs/err)" '0 0'
    is "$what: exit code" "$(<code)" "$code"
    unlike "$what: said nothing" "$(cat logs/out logs/err)" "${value:0:16}"
}

quiet 0 'import of .env' -vv import data/.env
quiet 0 'again' -vv --json import data/.env
quiet 0 'import of JSON' -vv import data/values.json --prefix json
quiet 21 'import of what is damaged' -vv import data/bad.json
quiet 0 'import of a Python keyring' -vv import data/keyring_pass.cfg
printf other | kt -q set KEY
quiet 11 'a conflict' -vv import data/.env
quiet 0 'replaced' -vv import data/.env --replace
quiet 0 'export to JSON' -vv export --plaintext open/values.json
ok 'export to JSON: worked' grep -qF "$value" open/values.json
quiet 0 'export to .env' -vv export --plaintext open/.env json
ok 'export to .env: worked' grep -qF "$value" open/.env
quiet 0 'again, over it' -vv --json export --plaintext open/.env json
quiet 1 'export to where nothing can be' -vv export --plaintext /proc/nothing json --format json
quiet 0 'an archive' -vv export --keyfile a.key a.db
quiet 0 'import of an archive' -vv -s other import --keyfile a.key a.db
kt -s other get KEY
is 'import of an archive: worked' "$out" "$value"
rm -f "$TESTTMP/out"

for at in logs scratch s.db s.db-wal o.db o.db-wal a.db a.key etc home; do
    [ -e "$at" ] || continue
    ok "not under $at" test -z "$(grep -rlF "${value:0:24}" "$at")"
done
is 'nothing was left behind' "$(ls -A scratch) $(ls -A open)" " .env
values.json"
finish
