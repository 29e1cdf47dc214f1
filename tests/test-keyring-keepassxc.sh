#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyring at KeePassXC's Secret Service: the contract holds there, too. Few items: when many come quickly
# version 2.7.4 hangs now and then.

# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"
# shellcheck source=tests/secret-service.sh
. "$srcdir/tests/secret-service.sh"
needs_packages keepassxc:keepassxc keepassxc-cli:keepassxc secret-tool:libsecret-tools

peer=${builddir:?}/tests/keyring-peer
keys=$secrets_path/collection/keys
service deepseek 'read required keyring' 'write required keyring'
bus_start
keepass_start

printf 'not ours' | "$peer" item "$keys" 'another program' text/plain user me
is 'another program has an item' "$("$peer" items "$keys" | cut -f1)" 'another program'
others=$("$peer" items "$keys")

printf sk-first | kt set deepseek/api-key
is 'set' "$rc" 0
is 'secret-tool finds what keyturn stored' \
    "$(secret-tool lookup service deepseek name deepseek/api-key)" sk-first
printf sk-second | kt set deepseek/api-key
is 'a second set ends' "$rc" 0
is 'and the new value is found' "$(secret-tool lookup service deepseek name deepseek/api-key)" sk-second
kt get deepseek/api-key --stage previous
is 'the previous one is still there' "$out" sk-first
printf sk-theirs | secret-tool store --label='a key of mine' service deepseek name theirs
kt get theirs
is 'keyturn finds what secret-tool stored' "$rc $out" '0 sk-theirs'
kt list
is 'both are listed' "$rc $(tr '\n' ' ' <"$TESTTMP/out" | grep -c 'deepseek/api-key.*theirs')" '0 1'

mkdir values
printf 'line one\nline two\r\n\t\v\f\033' >values/control
printf 'a\0b\0\303\050 \377\376' >values/binary
printf '' >values/empty
printf ' <blanks> & ]]> around ' >values/blanks
head -c 65536 /dev/urandom >values/random-64k
for f in values/*; do
    kt set "bytes/${f#*/}" "$f"
    is "${f#*/} is stored" "$rc" 0
    kt get "bytes/${f#*/}"
    ok "${f#*/} comes back" cmp "$TESTTMP/out" "$f"
done

kt delete deepseek/api-key
is 'deleted' "$rc" 0
kt get deepseek/api-key
is 'it is gone' "$rc" 3
is 'with all that was its' "$("$peer" items "$keys" | grep -c api-key)" 0
kt --json get theirs
kt delete theirs --version "$(json "$TESTTMP/out" 'rows[0]["version"]')"
is 'what somebody else made is deleted by its version' "$rc" 0
for f in values/*; do kt delete "bytes/${f#*/}"; done
is 'others have what they had' "$("$peer" items "$keys")" "$others"

kt conform keyring
like 'keyturn conform keyring passes' "$rc $out" '^0 .*checks passed'
unlike 'no check failed' "$out" 'failed'

# A locked collection has no items for who asks for some: that is not "there is no such secret".
printf v >value
kt set a value
"$peer" lock "$keys"
ok 'it is locked' until_true 30 secrets_are keys true
for command in 'get a' 'get absent' 'list' 'versions a' 'set a value' 'delete a'; do
    # shellcheck disable=SC2086 # words
    kt $command
    is "locked, $command" "$rc" 5
done
kt unlock
is 'unlock: there is no way but its own window' "$rc" 22
like 'and that is said' "$err" 'only by its own prompt'

keepass_stop
kt get a
is 'without it, it is unavailable' "$rc" 6

finish
