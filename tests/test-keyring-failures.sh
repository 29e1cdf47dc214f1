#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyring: no bus, a dead one, one without the service, locked, dismissed, restarted, forked: each is told
# from the others, at once, and never as "there is no such secret".

# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"
# shellcheck source=tests/secret-service.sh
. "$srcdir/tests/secret-service.sh"
needs_packages gnome-keyring-daemon:gnome-keyring secret-tool:libsecret-tools

peer=${builddir:?}/tests/keyring-peer
login=$secrets_path/collection/login
printf value >value
mkfifo told said asked
service deepseek 'read required keyring' 'write required keyring'
service weaker 'read required keyring' 'read optional debug value=weaker'
service chosen 'read fallback keyring max-stale=1h' 'read required debug value=chosen'

# quickly WHAT STATUS-CODE PATTERN ARGUMENT...: keyturn says so within two seconds, in one line
quickly()
{
    local what=$1 code=$2 pattern=$3 began end
    shift 3
    began=$(date +%s%N)
    kt "$@" </dev/null
    end=$(date +%s%N)
    is "$what: exit code" "$rc" "$code"
    like "$what: in words" "$err" "$pattern"
    is "$what: in one line" "$(wc -l <"$TESTTMP/err")" 1
    is "$what: nothing on standard output" "$out" ''
    ok "$what: at once" [ $(((end - began) / 1000000)) -lt 2000 ]
}

# ---- a program with an open handle ---------------------------------------------------------------

talk_start()
{
    "$builddir/tests/keyring-talk" "$KEYTURN_TEST_MODULES" deepseek <told >said &
    talk_pid=$!
    exec {talk_out}>told {talk_in}<said
}

# talk COMMAND...: sets $status, $ms and $text
talk()
{
    status='' ms=0 text=''
    (
        trap '' PIPE # it may have died of the last command
        echo "$*" 2>/dev/null
    ) >&"$talk_out"
    read -r -t 60 status ms text <&"$talk_in" || status='no answer'
}

# talk_fails WHAT STATUS PATTERN COMMAND...: the program is told so, within two seconds
talk_fails()
{
    local what=$1 wanted=$2 pattern=$3
    shift 3
    talk "$@"
    is "$what" "$status" "$wanted"
    like "$what: in words" "$text" "$pattern"
    ok "$what: at once" [ "$ms" -lt 2000 ]
}

# talk_gives WHAT TEXT COMMAND...
talk_gives()
{
    local what=$1 wanted=$2
    shift 2
    talk "$@"
    is "$what" "$status $text" "success $wanted"
}

talk_end()
{
    exec {talk_out}>&- {talk_in}<&-
    wait "$talk_pid"
    is "the program ends, and no secret is left in it" $? 0
}

# ---- no bus --------------------------------------------------------------------------------------

# Nothing may start a bus of its own.
mkdir bin
printf '#!/bin/sh\ntouch %s/launched\n' "$TESTTMP" >bin/dbus-launch
chmod +x bin/dbus-launch
PATH=$TESTTMP/bin:$PATH
unset DBUS_SESSION_BUS_ADDRESS
export DISPLAY=:99
quickly 'no bus' 6 'no (D-Bus )?session bus' get a
quickly 'no bus, set' 6 'no (D-Bus )?session bus' set a value
quickly 'no bus, list' 6 'no (D-Bus )?session bus' list
quickly 'no bus, delete' 6 'no (D-Bus )?session bus' delete a
no_bus=$err
export DBUS_SESSION_BUS_ADDRESS=unix:path=$TESTTMP/nonexistent
quickly 'a dead bus' 6 "$TESTTMP/nonexistent" get a
dead_bus=$err
DBUS_SESSION_BUS_ADDRESS='unix:path=' quickly 'a damaged address' 6 'DBUS_SESSION_BUS_ADDRESS' get a
DBUS_SESSION_BUS_ADDRESS=autolaunch: quickly 'autolaunch' 6 'autolaunch' get a
ok 'no bus was launched' [ ! -e launched ]
quickly 'no bus: nothing weaker' 6 '' -s weaker get a
kt -s chosen get a
is 'no bus: what the service file says, and only that' "$rc $out" '0 chosen'

# Somebody listens, and never says a word.
python3 - "$TESTTMP/mute" <<'END' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
time.sleep(120)
END
mute_pid=$!
until_true 30 [ -S mute ]
DBUS_SESSION_BUS_ADDRESS=unix:path=$TESTTMP/mute kt --timeout 500ms get a
is 'a bus that says nothing: the deadline holds' "$rc" 8
kill "$mute_pid"

# ---- a bus without the service -------------------------------------------------------------------

bus_start
quickly 'no service' 6 'org\.freedesktop\.secrets' get a
no_service=$err
quickly 'no service, list' 6 'org\.freedesktop\.secrets' list
(
    ln -s "$secrets_dir/bus" "$XDG_RUNTIME_DIR/bus"
    unset DBUS_SESSION_BUS_ADDRESS
    quickly 'the bus of XDG_RUNTIME_DIR is found' 6 'org\.freedesktop\.secrets' get a >shown
    grep '^not ok' shown
)
is 'the bus of XDG_RUNTIME_DIR is found' $? 1

# ---- locked --------------------------------------------------------------------------------------

gnome_start pw
printf one | kt set a
is 'a value is stored' "$rc" 0
gnome_lock
for command in 'get a' 'get absent' 'set a value' 'set b value' 'list' 'versions a' 'delete a' 'get a --stage previous'; do
    # shellcheck disable=SC2086 # words
    quickly "locked, $command" 5 'locked' $command
done
locked=$err
quickly 'locked: nothing weaker' 5 'locked' -s weaker get a
kt -s chosen get a
is 'locked: what the service file says, and only that' "$rc $out" '0 chosen'

# ---- a person who says no ------------------------------------------------------------------------

# person ANSWER [COMMAND]: whom GNOME Keyring asks
person()
{
    setpriv --pdeathsig KILL "$peer" prompter "$@" >asked &
    person_pid=$!
    exec {person_out}<asked
    read -r -t 60 <&"$person_out"
}

# asked: how often, by now
asked()
{
    local n=0
    while read -r -t 0.3 <&"$person_out"; do n=$((n + 1)); done
    echo "$n"
}

person_end()
{
    exec {person_out}<&-
    kill "$person_pid"
    wait "$person_pid" 2>/dev/null
}

person refuse
talk_start
talk prompt off
talk_fails 'nobody may be asked' locked 'locked' get a
is 'nobody may be asked: nobody is' "$(asked)" 0
talk prompt on
talk_fails 'dismissed' denied '' get a
dismissed=$text
is 'dismissed: asked once' "$(asked)" 1
talk get a
is 'a refusal is remembered' "$(asked)" 0
talk put a two
ok 'and nothing is written' [ "$status" != success ]
is 'nor is anybody asked' "$(asked)" 0
talk_end
person_end

person hang
talk_start
talk prompt on
talk timeout 700
talk get a
is 'a question without an answer ends at the deadline' "$status" timeout
ok 'within two seconds' [ "$ms" -lt 2700 ]
is 'it was asked' "$(asked)" 1
# GNOME Keyring 42 aborts if any prompt is dismissed while one is shown.
talk prompt off
talk_fails 'who asks meanwhile and may not prompt' locked 'locked' get a
talk_fails 'does no harm to the keyring' locked 'locked' get a
talk_end
person_end
gnome_stop
gnome_start pw
gnome_lock

person refuse "$peer unlock $login pw"
talk_start
talk prompt on
talk_gives 'dismissed, but unlocked by somebody else meanwhile' one get a
talk_end
person_end

gnome_lock
talk_start
talk prompt on
talk get a
ok 'no prompter: it fails' [ "$status" = denied -o "$status" = locked -o "$status" = unavailable ]
ok 'no prompter: at once' [ "$ms" -lt 2000 ]
talk_end

is 'each has its own words' "$(printf '%s\n' "$no_bus" "$dead_bus" "$no_service" "$locked" "$dismissed" |
    sed 's/^keyturn: //' | sort -u | wc -l)" 5

# ---- it goes away and comes back -----------------------------------------------------------------

"$peer" unlock "$login" pw
talk_start
talk_gives 'before' one get a
gnome_stop
talk_fails 'it went away' unavailable 'org\.freedesktop\.secrets' get a
talk_fails 'it went away, put' unavailable 'org\.freedesktop\.secrets' put a lost
gnome_start pw
talk_gives 'it came back' one get a
gnome_stop
gnome_start pw
talk_gives 'it was restarted between two calls' one get a
gnome_stop
gnome_start pw
talk_gives 'the same, put' '' put a two
talk_gives 'and read' two get a
kill -KILL "$gnome_pid"
wait "$gnome_pid" 2>/dev/null
gnome_start pw
talk_gives 'it was killed' two get a
gnome_stop
gnome_start
talk_fails 'it came back locked' locked locked get a
"$peer" unlock "$login" pw
talk_gives 'and was unlocked' two get a
gnome_stop
bus_stop
talk get a
is 'the bus went away' "$status" unavailable
bus_start
gnome_start pw
talk_gives 'and came back' two get a

# ---- fork ----------------------------------------------------------------------------------------

talk_fails 'a child of a process that has used the keyring' unavailable 'fork' child get a
talk_fails 'the same with a handle of its own' unavailable 'fork' grandchild get a
talk_fails 'the same, put' unavailable 'fork' child put a lost
talk_gives 'the parent goes on' two get a
talk_end
talk_start
talk_gives 'a child of one that has not' two child get a
talk_gives 'and one with a handle of its own' two grandchild get a
talk_gives 'and the parent' two get a
talk_end

finish
