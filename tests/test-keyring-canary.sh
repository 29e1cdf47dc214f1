#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyring: once a command has ended, the value is nowhere in its memory, what GLib and libsecret had
# included.

# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"
# shellcheck source=tests/secret-service.sh
. "$srcdir/tests/secret-service.sh"
needs_packages gnome-keyring-daemon:gnome-keyring

service deepseek 'read required keyring' 'write required keyring'
bus_start
gnome_start pw
head -c 60 /dev/urandom | base64 -w0 >plain
{
    cat plain
    printf '\n2'
} >encoded

# quiet WHAT FILE CODE ARGUMENT...: what FILE holds is not in memory when keyturn exits with CODE
quiet()
{
    local what=$1 file=$2 code=$3
    shift 3
    "${builddir:?}/tests/canary" "$file" "$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" -vv "$@" \
        >"$TESTTMP/out" 2>"$TESTTMP/err" 9>code
    is "$what: not in memory at exit" "$? $(<code)" "0 $code"
}

for each in plain encoded; do
    quiet "$each, set" "$each" 0 set a "$each"
    quiet "$each, get" "$each" 0 get a
    ok "$each, get: worked" cmp "$TESTTMP/out" "$each"
    quiet "$each, set over it" "$each" 0 set a "$each"
    quiet "$each, get of the previous one" "$each" 0 get a --stage previous
    ok "$each, get of the previous one: worked" cmp "$TESTTMP/out" "$each"
    quiet "$each, versions" "$each" 0 versions a
    quiet "$each, list" "$each" 0 list
    quiet "$each, conflict" "$each" 11 set a --expect none "$each"
    quiet "$each, delete" "$each" 0 delete a
done
gnome_lock
quiet 'set, locked' plain 5 set a plain

finish
