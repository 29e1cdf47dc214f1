#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A file whose key lies in the keyring: open, locked, gone; and what a get from the file loads.

# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"
# shellcheck source=tests/secret-service.sh
. "$srcdir/tests/secret-service.sh"
needs_packages gnome-keyring-daemon:gnome-keyring secret-tool:libsecret-tools

peer=${builddir:?}/tests/keyring-peer
login=$secrets_path/collection/login
service desk 'read required keyring' 'write required keyring'
service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
service plain "read required file path=$TESTTMP/p.db key=$TESTTMP/p.key" 'write required file'
bus_start
gnome_start pw

# loads ARGUMENT...: those libraries of a keyring that keyturn maps when run so
loads()
{
    LD_DEBUG=files LD_DEBUG_OUTPUT=$TESTTMP/loads kt "$@"
    cat "$TESTTMP"/loads.* | grep -oE 'file=(lib(glib|gio|secret|gobject)|keyring)[^ ;]*' | sort -u
    rm "$TESTTMP"/loads.*
}

kt file create --secret=desk/store-key --no-recovery
is 'a store is made whose key is in the keyring' "$rc" 0
printf one | kt set a
is 'it is written' "$rc" 0
kt get a
is 'and read' "$rc $out" '0 one'
like 'the keyring has its key' "$("$peer" items "$login")" 'name=store-key'
ok 'no key file is made' [ ! -e s.key ]

printf two | kt -s plain set a
is 'a file with a key of its own loads no keyring' "$(loads -s plain get a)" ''
is 'and is read' "$(kt -s plain get a && echo "$out")" two
like 'this one loads it' "$(loads get a)" 'libglib'

gnome_lock
kt get a
is 'locked' "$rc" 5
like 'in words that name the secret' "$err" 'store-key.*locked'
printf lost | kt set a
is 'nor is it written' "$rc" 5
kt -s plain get a
is 'another file is not touched by that' "$rc $out" '0 two'
gnome_stop
kt get a
is 'without the service it is unavailable' "$rc" 6
printf lost | kt set a
is 'also for who writes' "$rc" 6
bus=$DBUS_SESSION_BUS_ADDRESS
unset DBUS_SESSION_BUS_ADDRESS
kt get a
is 'without a bus, too' "$rc" 6
export DBUS_SESSION_BUS_ADDRESS=$bus
gnome_start pw
kt get a
is 'when all is back, so is the value' "$rc $out" '0 one'

kt file slot add "--keyfile=$TESTTMP/s.key"
is 'a second slot' "$rc" 0
gnome_lock
kt get a
is 'opens the store while the keyring is locked' "$rc $out" '0 one'
is 'and loads no keyring' "$(loads get a)" ''
rm s.key
kt get a
is 'without it, it is locked again' "$rc" 5
"$peer" unlock "$login" pw

kt -s desk delete store-key
kt get a
is 'the key was deleted: locked, not "no such secret"' "$rc" 5
like 'in words that name it' "$err" 'desk/store-key'

# The keyring's key may not lie in a file whose key lies in the keyring.
service loop 'read required keyring' 'write required keyring'
service ring "read required file path=$TESTTMP/r.db key=$TESTTMP/r.key" 'write required file'
kt -s ring file create --secret=ring/self --no-recovery
unlike 'a store is not its own key' "$rc" '^0$'

# ---- stacks: nothing weaker answers unless the service file says so ------------------------------

service deepseek 'read required keyring' 'write required keyring'
service strict 'read required keyring' "read optional file path=$TESTTMP/p.db key=$TESTTMP/p.key max-stale=1h" \
    'write required keyring'
service falls 'read fallback keyring max-stale=1h' \
    "read required file path=$TESTTMP/p.db key=$TESTTMP/p.key" 'write required file'
kt get a
is 'the keyring has no such secret' "$rc" 3
gnome_lock
kt -s strict get a
is 'locked, and required: locked' "$rc $out" '5 '
kt -s falls get a
is 'locked, and fallback: the file' "$rc $out" '0 two'
like 'explained' "$(kt -s falls explain a && echo "$out")" 'keyring.*locked'
gnome_stop
kt -s strict get a
is 'no service, and required: unavailable' "$rc $out" '6 '
kt -s falls get a
is 'no service, and fallback: the file' "$rc $out" '0 two'
service put 'read fallback keyring max-stale=1h' \
    "read required file path=$TESTTMP/p.db key=$TESTTMP/p.key" 'write required keyring'
printf lost | kt -s put set b
unlike 'a write to the keyring does not land in the file' "$rc" '^0$'
kt -s plain get b
is 'indeed' "$rc" 3

finish
