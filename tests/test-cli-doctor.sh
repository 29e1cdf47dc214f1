#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn doctor: a row for everything that is looked at, whatever is wrong with it.
# shellcheck disable=SC2016 # what is in single quotes is meant as it is
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

# Only these modules are installed.
modules=$TESTTMP/modules
mkdir "$modules"
cp "$KEYTURN_TEST_MODULES"/{cache,debug,env,mock_door}.so "$modules"

# doctor ARGUMENT...: one object a finding in the file out
doctor()
{
    "$KEYTURN" --module-dir "$modules" --json doctor "$@" >out 2>err
    rc=$?
    err=$(<err)
}

# of CHECK [SUBJECT]: level, status and remedy of the finding
of()
{
    json out "[(r['level'], r['status'], r['remedy']) for r in rows if r['check'] == '$1' and r['subject'] == '${2:-$1}']"
}
text_of()
{
    json out "[r['text'] for r in rows if r['check'] == '$1' and r['subject'] == '${2:-$1}'][0]"
}
fine="[('info', 'success', None)]"

service deepseek 'read required mock_door'
doctor
is 'all is well' "$rc $err" '0 '
is 'the same members in every object' "$(json out 'sorted({tuple(r) for r in rows})')" \
    "[('check', 'subject', 'level', 'status', 'text', 'remedy')]"
is 'all kinds of things are looked at' "$(json out 'sorted({r["check"] for r in rows})')" \
    "['clock', 'core', 'environment', 'line', 'memory', 'module', 'place', 'service', 'swap']"
is 'the service file' "$(of service deepseek)" "$fine"
is 'its line' "$(of line 'deepseek:1 mock_door')" "$fine"
is 'what the module says of itself' "$(text_of line 'deepseek:1 mock_door')" \
    'the door is open; and wide'
is 'a module in use' "$(of module mock_door)" "$fine"
like 'one that is not' "$(text_of module env)" '^not in use here; DEEPSEEK_API_KEY is not set'
is 'nothing was made' "$(find "$HOME" -mindepth 1 | wc -l)" 0

kt doctor
is 'no terminal: a row a line' "$(grep '^line' out | tr '\t' '|')" \
    'line|deepseek:1 mock_door|ok|the door is open; and wide|-'
printf '%q ' "$KEYTURN" --module-dir "$modules" -s stuck doctor >typed
service stuck 'read required mock_door door=stuck'
TERM=dumb script -qec "sh typed" /dev/null </dev/null >shown 2>&1
like 'a terminal: heads, and a table' "$(tr -d '\r' <shown)" \
    $'^CHECK +SUBJECT +STATUS +TEXT\n.*\nline +stuck:1 mock_door +locked +the door is locked; there is a door\n'
like 'remedies below it' "$(tr -d '\r' <shown)" \
    $'\nwhat can be done\n(.*\n)?  stuck:1 mock_door: crowbar --door\n'

# ---- lines ----

doctor -s stuck
is 'not viable: the status is the exit code' "$rc" 5
like 'one line on standard error' "$(json err 'rows[0]["message"]') $(wc -l <err)" \
    '^1 thing is wrong, [0-9]+ warnings? 1$'
is 'the remedy is what the module says' "$(of line 'stuck:1 mock_door')" \
    "[('error', 'locked', 'crowbar --door')]"
service asks 'read required mock_door door=asks'
doctor -s asks
is 'locked, and nobody is asked' "$rc $(of line 'asks:1 mock_door')" \
    "5 [('error', 'locked', 'keyturn -s asks unlock')]"
service two 'read fallback mock_door door=away max-stale=1h' 'read required mock_door door=stuck'
doctor -s two
is 'each line by itself' "$(of line 'two:1 mock_door') $(of line 'two:2 mock_door')" \
    "[('error', 'unavailable', 'call it back')] [('error', 'locked', 'crowbar --door')]"
is 'the most telling one is the exit code' "$rc" 5
service dies 'read fallback mock_door door=crash max-stale=1h' 'read required mock_door'
doctor -s dies
is 'a module that dies is told' "$rc $(of line 'dies:1 mock_door')" \
    "25 [('error', 'module_error', None)]"
like 'with how' "$(text_of line 'dies:1 mock_door')" 'killed by signal 9'
is 'and the next line looked at' "$(of line 'dies:2 mock_door')" "$fine"
service hangs 'read fallback mock_door door=hang max-stale=1h' 'read required mock_door'
doctor --timeout 200ms -s hangs
is 'so is one that hangs' "$(of line 'hangs:1 mock_door') $(text_of line 'hangs:1 mock_door' |
    grep -c 'did not end within')" "[('error', 'timeout', None)] 1"

# ---- service files ----

service wrong 'read required mock_door' 'read never mock_door'
doctor -s wrong
is 'a line that is no line' "$rc $(of service wrong | cut -c 1-30)" "26 [('error', 'config_error', Non"
chmod 666 "$KEYTURN_CONFIG_DIR/deepseek"
doctor
is 'a file that others can write' "$rc $(of service deepseek)" \
    "26 [('error', 'config_error', \"chmod go-w '$KEYTURN_CONFIG_DIR/deepseek'\")]"
chmod 600 "$KEYTURN_CONFIG_DIR/deepseek"
chmod 777 "$KEYTURN_CONFIG_DIR"
doctor
is 'in a directory that others can write' "$rc $(of service deepseek)" \
    "26 [('error', 'config_error', \"chmod go-w '$KEYTURN_CONFIG_DIR'\")]"
mkdir "$TESTTMP/links"
ln -s "$KEYTURN_CONFIG_DIR/deepseek" "$TESTTMP/links/deepseek"
KEYTURN_CONFIG_DIR=$TESTTMP/links doctor
is 'or behind a link' "$rc $(of service deepseek)" \
    "26 [('error', 'config_error', \"chmod go-w '$KEYTURN_CONFIG_DIR'\")]"
chmod 755 "$KEYTURN_CONFIG_DIR"
doctor -s nosuch
is 'no file: a warning' "$(of service nosuch)" "[('warning', 'not_found', None)]"
service lint 'read required mock_door' 'read required debug max-stale=1h'
doctor -s lint --strict
like 'warnings fail with --strict' "$rc $err" '^26 .*--strict'
doctor -s nosuchmodule
service nomodule 'read required nosuch'
doctor -s nomodule
like 'a module that is not there' "$rc $(text_of service nomodule)" "^26 .*no module 'nosuch'"

doctor --all
is 'all services' "$(json out 'sorted({r["subject"].split(":")[0] for r in rows if r["check"] == "line"})')" \
    "['asks', 'deepseek', 'dies', 'hangs', 'lint', 'stuck', 'two']"
doctor --all -s deepseek
is 'all or one' "$rc" 2

# ---- modules ----

cp "$KEYTURN_TEST_MODULES/mock_badabi.so" "$modules"
doctor
is 'a module of another ABI, not in use: a warning' "$rc $(of module mock_badabi | cut -c 1-27)" \
    "0 [('warning', 'module_error'"
rm "$modules/mock_badabi.so"
cp "$KEYTURN_TEST_MODULES/mock_talks.so" "$modules"
MOCK_TALKS_DIES=1 doctor
is 'one that dies when it is loaded takes no other along' \
    "$rc $(of module mock_talks) $(of module mock_door)" \
    "0 [('warning', 'module_error', None)] $fine"
rm "$modules/mock_talks.so"
chmod o+w "$modules/env.so"
doctor
is 'one that others can write' "$(of module env)" \
    "[('warning', 'config_error', \"chmod go-w '$modules/env.so'\")]"
chmod o-w "$modules/env.so"
service usesdebug 'read required debug get=unavailable'
doctor -s usesdebug
is 'what get answers, debug is' "$rc $(of line 'usesdebug:1 debug')" \
    "6 [('error', 'unavailable', None)]"
service dotenv "read required env file=$TESTTMP/broken.env"
printf 'A="open\n' >broken.env
doctor -s dotenv
like 'an env file that is damaged' "$rc $(of line 'dotenv:1 env')" "^21 .*'corrupt'"
rm broken.env
doctor -s dotenv
like 'or not there yet' "$rc $(text_of line 'dotenv:1 env')" \
    "^0 .*$TESTTMP/broken.env is not there yet: the first put makes it"

# ---- places ----

if [ "$(id -u)" -ne 0 ]; then
    doctor
    is 'places that are not made yet' "$(of place "$HOME/.config/keyturn")" "$fine"
    mkdir -p "$HOME/.local/share"
    chmod 500 "$HOME/.local/share"
    doctor
    is 'one that cannot be made' "$rc $(of place "$HOME/.local/share/keyturn")" \
        "0 [('warning', 'denied', \"chmod u+rwx '$HOME/.local/share'\")]"
    chmod 700 "$HOME/.local/share"
    XDG_DATA_HOME=/proc doctor
    is 'one that never can' "$(of place /proc/keyturn | cut -c 1-22)" "[('warning', 'denied',"
else
    rm -rf "$HOME/state" && mkdir -p "$HOME/state/keyturn"
    XDG_STATE_HOME=$HOME/state doctor
    is 'a place' "$(of place "$HOME/state/keyturn")" "$fine"
fi
mkdir -p "$TESTTMP/state/keyturn"
chmod 777 "$TESTTMP/state/keyturn"
XDG_STATE_HOME=$TESTTMP/state doctor
is 'one that others can write' "$(of place "$TESTTMP/state/keyturn")" \
    "[('warning', 'config_error', \"chmod go-w '$TESTTMP/state/keyturn'\")]"
rmdir "$TESTTMP/state/keyturn"
: >"$TESTTMP/state/keyturn"
XDG_STATE_HOME=$TESTTMP/state doctor
is 'one that is a file' "$rc $(of place "$TESTTMP/state/keyturn")" \
    "26 [('error', 'config_error', None)]"

# Root may write everywhere but on what is mounted read-only.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    mkdir -p "$TESTTMP/disk"
    printf 'Filename\tType\tSize\tUsed\tPriority\n/dev/null file 1 0 -2\n' >swaps
    unshare -m sh -c 'mount -t tmpfs none "$1" && mount -o remount,ro "$1" &&
        mount --bind swaps /proc/swaps && shift && exec "$@"' sh "$TESTTMP/disk" \
        env XDG_STATE_HOME="$TESTTMP/disk" "$KEYTURN" --module-dir "$modules" --json doctor \
        >out 2>err
    if [ -s out ]; then
        is 'a place on a read-only file system' "$(of place "$TESTTMP/disk/keyturn")" \
            "[('warning', 'read_only', \"sudo mount -o remount,rw '$TESTTMP/disk'\")]"
        is 'swap that is not encrypted' "$(of swap /dev/null)" \
            "[('warning', 'config_error', \"sudo swapoff '/dev/null'\")]"
    fi
fi

# ---- memory, cores ----

if [ "$(id -u)" -ne 0 ]; then # root's locked memory has no limit
    (ulimit -l 64 && doctor)
    like 'little locked memory' "$(of memory 'locked memory')" "^\[\('warning', 'no_memory', 'sudo prlimit "
fi
(ulimit -c 0; doctor)
is 'no core dumps' "$(of core 'core dumps')" "$fine"
if [ "$(ulimit -Hc)" = unlimited ]; then
    (ulimit -c unlimited && doctor)
    is 'core dumps' "$(of core 'core dumps')" "[('warning', 'config_error', 'ulimit -c 0')]"
fi

# ---- time ----

cat >fake.c <<'END'
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t)
{
    const char *date = getenv("FAKE_DATE");

    if (clock != CLOCK_REALTIME || date == NULL)
        return (int)syscall(SYS_clock_gettime, clock, t);
    t->tv_sec = atol(date);
    t->tv_nsec = 0;
    return 0;
}

int adjtimex(struct timex *t)
{
    t->status = getenv("FAKE_UNSYNC") != NULL ? STA_UNSYNC : 0;
    return t->status != 0 ? TIME_ERROR : TIME_OK;
}
END
# A sanitizer's own library would have to come first.
if [[ "${CFLAGS:-} ${CC:-cc}" != *sanitize* ]] && "${CC:-cc}" -shared -fPIC -o fake.so fake.c 2>/dev/null; then
    LD_PRELOAD=$PWD/fake.so doctor
    is 'a clock that is kept right' "$(of clock date) $(of clock boot)" "$fine $fine"
    FAKE_UNSYNC=1 LD_PRELOAD=$PWD/fake.so doctor
    is 'one that is not' "$rc $(of clock date)" \
        "0 [('warning', 'config_error', 'sudo timedatectl set-ntp true')]"
    FAKE_DATE=1000000000 LD_PRELOAD=$PWD/fake.so doctor
    is 'one that is wrong' "$rc $(of clock date)" \
        "26 [('error', 'config_error', 'sudo timedatectl set-ntp true')]"
    like 'with what it says' "$(text_of clock date)" '^it says 2001-09-09T01:46:40Z'
fi

# ---- keys that lie about ----

OTHER_TOKEN='' REF_API_KEY=keyturn:///a MY_API_KEY=sk-secret-value KEYS=x doctor
is 'a variable that looks like a key' "$rc $(of environment MY_API_KEY)" \
    "0 [('warning', 'config_error', 'unset MY_API_KEY')]"
is 'not one that is empty, a reference, or something else' \
    "$(json out '[r["subject"] for r in rows if r["check"] == "environment"]')" "['MY_API_KEY']"
ok 'its value is not told' test -z "$(grep secret-value out err)"
printf 'A_TOKEN="sk-secret-value"\nOTHER=x\nB_API_KEY=${A}\nC_API_KEY=keyturn:///c\n' >.env
cp .env .env.example
chmod 644 .env
doctor
is 'a .env file with a key' "$(of dotenv .env)" "[('warning', 'config_error', \"chmod 600 '.env'\")]"
is 'which' "$(text_of dotenv .env)" '1 key in the open, which others may read: A_TOKEN'
is 'none else' "$(json out 'len([r for r in rows if r["check"] == "dotenv"])')" 1
ok 'their values are not told' test -z "$(grep secret-value out err)"
chmod 600 .env
doctor
like 'for its owner only' "$(of dotenv .env)" "keyturn import"
rm .env

doctor --frobnicate
is 'an option that is none' "$rc" 2
kt doctor network
is 'a word that is none' "$rc" 2

# Many at once: nothing is written, so nobody is in another's way.
for i in 1 2 3 4 5 6; do
    "$KEYTURN" --module-dir "$modules" -q --json doctor >"many.$i" 2>&1 &
    pids[i]=$!
done
failed=0
for i in 1 2 3 4 5 6; do wait "${pids[i]}" || failed=$((failed + 1)); done
is 'six at once' "$failed $(cat many.* | grep -c '"level":"error"')" '0 0'

finish
