# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Real Secret Services for tests, without a display: GNOME Keyring and KeePassXC, on a bus of the test's
# own that activates nothing. Sourced; uses TESTTMP. Whatever is started here gets SIGKILL when the
# shell that started it is gone, however that came about, and is ended when it exits.

# shellcheck disable=SC2034 # for who sources this
secrets_path=/org/freedesktop/secrets
secrets_dir=$TESTTMP/secrets
bus_pid='' gnome_pid='' keepass_pid=''

# needs_packages COMMAND:PACKAGE...: without one of them the test is skipped; under CI it fails
needs_packages()
{
    local each
    for each in "$@" setpriv:util-linux gdbus:libglib2.0-bin dbus-daemon:dbus; do
        command -v "${each%:*}" >/dev/null && continue
        if [ "${CI:-}" = true ]; then
            echo "Bail out! no ${each%:*} here: install ${each#*:}"
            exit 1
        fi
        echo "1..0 # SKIP no ${each%:*} here: install ${each#*:}"
        exit 0
    done
}

# until_true SECONDS COMMAND...: try it again until it succeeds
until_true()
{
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.02
    done
}

# spawn COMMAND...: start a daemon in a home of its own, which ends when this shell does; its pid is $!
spawn()
{
    (
        # It must not hold open what the script waits for the end of.
        for fd in "/proc/$BASHPID/fd"/*; do
            fd=${fd##*/}
            if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
        done
        exec setpriv --pdeathsig KILL env -i PATH="$PATH" LC_ALL=C.UTF-8 HOME="$secrets_dir/home" \
            TMPDIR="$secrets_dir/tmp" XDG_DATA_HOME="$secrets_dir/data" \
            XDG_CONFIG_HOME="$secrets_dir/config" XDG_CACHE_HOME="$secrets_dir/cache" \
            XDG_RUNTIME_DIR="$secrets_dir/run" QT_QPA_PLATFORM=offscreen \
            DBUS_SESSION_BUS_ADDRESS="${DBUS_SESSION_BUS_ADDRESS:-}" "$@"
    ) <&0 &
}

# end PID: SIGTERM, and SIGKILL to who does not care
end()
{
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2>/dev/null
    until_true 5 gone "$1" || kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}

# gone PID: it runs no more; as our child it may still be a zombie
gone()
{
    local state
    state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
    [ -z "$state" ] || [[ $state == Z* ]]
}

# ---- the bus -------------------------------------------------------------------------------------

# bus_start: a session bus on which nobody is; the address is in the environment
bus_start()
{
    mkdir -p "$secrets_dir"/{home,tmp,data,config,cache,run}
    chmod 700 "$secrets_dir"/{home,run}
    cat >"$secrets_dir/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=$secrets_dir/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
END
    rm -f "$secrets_dir/bus"
    spawn dbus-daemon --nofork --nopidfile --config-file="$secrets_dir/bus.conf" \
        2>>"$secrets_dir/bus.log"
    bus_pid=$!
    export DBUS_SESSION_BUS_ADDRESS=unix:path=$secrets_dir/bus
    until_true 30 secrets_call --dest org.freedesktop.DBus --object-path /org/freedesktop/DBus \
        --method org.freedesktop.DBus.GetId 2>/dev/null >&2 || secrets_died 'the bus' bus.log
}

bus_stop()
{
    end "$bus_pid"
    bus_pid=''
}

secrets_call()
{
    gdbus call --session --timeout 30 "$@"
}

# secrets_service METHOD ARGUMENT...: ask the service on the bus
secrets_service()
{
    local method=$1
    shift
    secrets_call --dest org.freedesktop.secrets --object-path "$secrets_path" \
        --method "org.freedesktop.Secret.Service.$method" "$@"
}

# secrets_locked COLLECTION: prints true or false
secrets_locked()
{
    secrets_call --dest org.freedesktop.secrets --object-path "$secrets_path/collection/$1" \
        --method org.freedesktop.DBus.Properties.Get org.freedesktop.Secret.Collection Locked |
        grep -oE 'true|false'
}

secrets_are()
{
    [ "$(secrets_locked "$1" 2>/dev/null)" = "$2" ]
}

secrets_died()
{
    echo "Bail out! $1 does not come up"
    sed 's/^/# /' "$secrets_dir/$2"
    exit 1
}

# ---- GNOME Keyring -------------------------------------------------------------------------------

# gnome_start [PASSWORD]: with the collection `login`, made or opened with PASSWORD, which may be empty:
# such a keyring is a file without encryption. Without PASSWORD it is locked, if there is its file
gnome_start()
{
    # The daemon looks for another one by this socket.
    rm -rf "$secrets_dir/run/keyring"
    if [ "$#" -gt 0 ]; then
        # It takes no bytes for no password at all, and one NUL for an empty one.
        spawn gnome-keyring-daemon --foreground --components=secrets --unlock \
            < <(if [ -n "$1" ]; then printf %s "$1"; else printf '\0'; fi) \
            >/dev/null 2>>"$secrets_dir/gnome.log"
    else
        spawn gnome-keyring-daemon --foreground --components=secrets \
            </dev/null >/dev/null 2>>"$secrets_dir/gnome.log"
    fi
    gnome_pid=$!
    until_true 30 secrets_locked login >/dev/null 2>&1 || secrets_died 'GNOME Keyring' gnome.log
    if [ "$#" -gt 0 ]; then
        until_true 30 secrets_are login false || secrets_died 'GNOME Keyring' gnome.log
    fi
}

gnome_stop()
{
    end "$gnome_pid"
    gnome_pid=''
}

gnome_lock()
{
    secrets_service Lock "[objectpath '$secrets_path/collection/login']" >/dev/null
}

# gnome_text_is_sound: a keyring without a password is a file of lines, and no value is one of them
gnome_text_is_sound()
{
    ! LC_ALL=C grep -avqE '^$|^\[[0-9a-z:]+\]$|^(display-name|ctime|mtime|lock-on-idle|lock-after)=|^(item-type|secret|name|type|value)=' \
        "$secrets_dir/data/keyrings/login.keyring" &&
        ! LC_ALL=C grep -aqE '^secret=(not this|injected)' "$secrets_dir/data/keyrings/login.keyring"
}

# ---- KeePassXC -----------------------------------------------------------------------------------

# keepass_start: with an open database, made if need be, whose collection is `keys`
keepass_start()
{
    local db=$secrets_dir/keys.kdbx uuid
    if [ ! -e "$db" ]; then
        # What a database shows to the bus is a setting in the database, for which there is no command.
        {
            printf 'pw\npw\n' | spawn_wait keepassxc-cli db-create -q -p -t 100 "$secrets_dir/new.kdbx"
            printf 'pw\n' | spawn_wait keepassxc-cli export -q "$secrets_dir/new.kdbx"
        } >"$secrets_dir/new.xml" 2>"$secrets_dir/keepass.log"
        uuid=$(python3 - "$secrets_dir/new.xml" <<'END'
import base64, sys, uuid
import xml.etree.ElementTree as tree
text = open(sys.argv[1], "rb").read()
doc = tree.ElementTree(tree.fromstring(text[text.index(b"<"):]))
group = uuid.UUID(bytes=base64.b64decode(doc.find("Root/Group/UUID").text))
data = doc.find("Meta/CustomData")
if data is None:
    data = tree.SubElement(doc.find("Meta"), "CustomData")
item = tree.SubElement(data, "Item")
tree.SubElement(item, "Key").text = "FDO_SECRETS_EXPOSED_GROUP"
tree.SubElement(item, "Value").text = "{%s}" % group
doc.write(sys.argv[1], encoding="utf-8", xml_declaration=True)
print(group)
END
        )
        printf 'pw\npw\n' | spawn_wait keepassxc-cli import -q -p -t 100 "$secrets_dir/new.xml" "$db" \
            2>>"$secrets_dir/keepass.log"
        if [ -z "$uuid" ] || [ ! -e "$db" ]; then
            secrets_died 'the database of KeePassXC' keepass.log
        fi
        mkdir -p "$secrets_dir/config/keepassxc"
        # Saved after every change 2.7.4 hangs or dies now and then when items come quickly.
        cat >"$secrets_dir/config/keepassxc/keepassxc.ini" <<'END'
[General]
ConfigVersion=2
AutoSaveAfterEveryChange=false
[GUI]
CheckForUpdates=false
[FdoSecrets]
Enabled=true
ConfirmAccessItem=false
ConfirmDeleteItem=false
ShowNotification=false
UnlockBeforeSearch=false
[Security]
LockDatabaseIdle=false
END
    fi
    spawn keepassxc --pw-stdin "$db" < <(printf 'pw\n') >>"$secrets_dir/keepass.log" 2>&1
    keepass_pid=$!
    until_true 60 secrets_are keys false || secrets_died KeePassXC keepass.log
}

spawn_wait()
{
    spawn "$@" <&0
    wait $!
}

keepass_stop()
{
    end "$keepass_pid"
    keepass_pid=''
    rm -f "$secrets_dir"/tmp/keepassxc*
}

secrets_stop()
{
    keepass_stop
    gnome_stop
    bus_stop
}
trap secrets_stop EXIT
