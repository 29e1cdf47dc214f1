#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# keyturn exec --watch: the program goes on with new values; signals, exit status and terminal pass.
# shellcheck disable=SC2016,SC2317 # quoted programs are for the shell inside; functions are called by name
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

service deepseek "read required file path=$TESTTMP/s.db key=$TESTTMP/s.key" 'write required file'
mkdir work empty
cd work || exit 99
kt_=("$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES")

put()
{
    printf %s "$2" | "${kt_[@]}" -q set "$1" >/dev/null 2>&1
}

# await WHAT COMMAND...: for at most two minutes
await()
{
    local what=$1
    shift
    for _ in {1..1200}; do
        if "$@" >/dev/null 2>&1; then
            ok "$what" true
            return
        fi
        sleep 0.1
    done
    ok "$what" "$@"
}
has() { grep -q "$1" log; }
count() { grep -c "$1" log; }
counted() { [ "$(count "$1")" = "$2" ]; }
warned() { grep -q "$1" words; }

# begin ARGUMENT...: keyturn in the background, its program's output in log, its own words in words
begin()
{
    : >log
    "${kt_[@]}" exec --watch --every 100ms "$@" >>log 2>words &
    pid=$!
}

# finish_with WANTED WHAT: its exit code
ended()
{
    wait "$pid" 2>/dev/null
    is "$2" "$?" "$1"
}

serve='trap "echo term; exit 3" TERM; echo "start $K $(cat "$F")"; while :; do sleep 0.05; done'

# ---- starting again ----------------------------------------------------------------------------------

put k v1
begin --env K=k --file F=k -- sh -c "$serve"
await 'it starts with the first value' has 'start v1 v1'
put k v2
await 'a new version: it starts with that' has 'start v2 v2'
put k v3
await 'and again' has 'start v3 v3'
is 'each was told to end, once' "$(tr '\n' ' ' <log)" 'start v1 v1 term start v2 v2 term start v3 v3 '
put k v3
put k v4
await 'the same value again is no change' has 'start v4 v4'
is 'so there was one start more' "$(count start)" 4
kill -TERM $pid
ended 3 'TERM is forwarded, the exit code passes'
is 'nothing is said' "$(<words)" ''

printf '{"a":"1","b":"1"}' | "${kt_[@]}" -q set o >/dev/null
put k v1
begin --env 'K=o?field=a' --file F=k -- sh -c "$serve"
await 'a field' has 'start 1 v1'
printf '{"a":"1","b":"2"}' | "${kt_[@]}" -q set o >/dev/null
put k v2
await 'another secret changed' has 'start 1 v2'
printf '{"a":"2","b":"2"}' | "${kt_[@]}" -q set o >/dev/null
await 'the field changed' has 'start 2 v2'
is 'another field of it is no change' "$(count start)" 3
kill -TERM $pid
ended 3 'a field: end'

put k v1
begin --stop-timeout 100ms --env K=k -- sh -c 'trap "" TERM; echo "start $K $$"; while :; do sleep 0.05; done'
await 'one that does not want to end' has 'start v1'
put k v2
await 'is killed' has 'start v2'
kill -KILL $pid
wait $pid 2>/dev/null
kill -KILL "$(sed -n 's/^start v2 //p' log)"

# without --every: local stores are asked often enough
put k v1
: >log
"${kt_[@]}" exec --watch --env K=k -- sh -c 'echo "start $K"; exec sleep 600' >>log 2>words &
pid=$!
await 'without --every' has 'start v1'
put k v2
await 'a local store is asked all the same' has 'start v2'
kill -TERM $pid
ended 143 'killed by TERM: so is keyturn'

# ---- what cannot be had --------------------------------------------------------------------------------

put k v1
begin --env K=k --file F=k -- sh -c "$serve"
await 'before' has 'start v1 v1'
"${kt_[@]}" delete k >/dev/null
await 'the secret is gone: told' warned 'goes on'
sleep 0.5
is 'once, in one line' "$(wc -l <words) $(count start)" '1 1'
put k v2
await 'it is back, and another: started again' has 'start v2 v2'
printf 'a\0b' | "${kt_[@]}" -q set k >/dev/null
await 'a value that no environment holds: told' warned 'NUL'
is 'and the program goes on' "$(count start)" 2
put k v3
await 'the next good one counts' has 'start v3 v3'
kill -TERM $pid
ended 3 'ends as told'

# ---- a program that ends by itself, or at once ---------------------------------------------------------

for code in 0 7; do
    begin --env K=k -- sh -c "exit $code"
    ended $code "it ends with $code: so does keyturn"
done
begin --env K=k -- sh -c 'kill -USR1 $$'
ended 138 'it is killed by USR1: so is keyturn'
begin --env K=k -- ./nosuch
ended 127 'there is no such program'
is 'in one line' "$(<words)" 'keyturn: ./nosuch: there is no such program'
begin --env K=nosuch -- touch ran
ended 125 'there is no such secret'
ok 'nothing ran' test ! -e ran
begin --every 1ms --env K=k -- touch ran
ended 125 '--every too often'

put k v1
# the second start dies three times before it succeeds
begin --env K=k -- sh -c 'trap "exit 3" TERM; echo "start $K"
    [ "$K" = v1 ] || { echo x >>tries; [ "$(wc -l <tries)" -gt 3 ] || exit 9; }
    while :; do sleep 0.05; done'
await 'before a change that hurts' has 'start v1'
put k v2
await 'it dies at once, and is started again' counted 'start v2' 4
kill -TERM $pid
ended 3 'until it lives'
is 'each is told' "$(grep -c 'died at once' words)" 3
put k v1
begin --env K=k -- sh -c 'trap "exit 3" TERM; echo "start $K"; [ "$K" = v1 ] || exit 9; while :; do sleep 0.05; done'
await 'before a change that kills' has 'start v1'
put k v2
ended 9 'it never lives: keyturn gives up with its exit code'
is 'after five more tries' "$(count 'start v2')" 6

# ---- signals ----------------------------------------------------------------------------------------------

# what a shell started in the background ignores, it cannot trap: python can
cat >../signals.py <<'EOF'
import os, signal, time
for name in "HUP INT QUIT TERM USR1 USR2 WINCH ALRM".split():
    signal.signal(getattr(signal, "SIG" + name), lambda n, f, name=name: print("got", name, flush=True))
print("up", os.getpid(), flush=True)
while not os.path.exists("stop"):
    time.sleep(0.05)
raise SystemExit(5)
EOF
begin --env K=k -- python3 ../signals.py
await 'signals: up' has up
for sig in HUP INT QUIT TERM USR1 USR2 WINCH ALRM; do
    kill -$sig $pid
    await "$sig is forwarded" counted "got $sig" 1
done
kill -STOP "$(sed -n 's/up //p' log)"
kill -CONT $pid
kill -USR1 $pid
await 'CONT is forwarded' counted 'got USR1' 2
: >stop
ended 5 'and the exit code passes'

put k v1
ulimit -c 0
begin --signal HUP --env K=k --file F=k -- bash -c \
    'trap "echo hup \$\$ \$K \$(cat \"\$F\")" HUP; trap "exit 3" TERM; echo "start $$ $K $(cat "$F")"; while :; do sleep 0.05; done'
await '--signal: start' has 'start .* v1 v1'
self=$(sed -n 's/start \([0-9]*\) .*/\1/p' log)
put k v2
await '--signal: the same process, its file is new, its environment is not' has "hup $self v1 v2"
put k v3
await '--signal: and again' has "hup $self v1 v3"
kill -TERM $pid
ended 3 '--signal: ends as told'
is '--signal: nothing is said' "$(<words)" ''

# whoever reads while it is renewed gets one value or the other, whole
cat >../reader.py <<'EOF'
import os, signal
paths = [os.environ.get("F") or "../empty/k"]
ends = []
signal.signal(signal.SIGHUP, lambda *a: None)
signal.signal(signal.SIGTERM, lambda *a: ends.append(1))
print("up", flush=True)
bad, last = 0, {}
while not ends:
    for p in paths:
        b = open(p, "rb").read()
        bad += len(b) != 60000 or len(set(b)) != 1
        if last.get(p) != b[:1]:
            print("renewed", b[:1].decode(), flush=True)
        last[p] = b[:1]
print("bad", bad, flush=True)
EOF
fill() { head -c 60000 /dev/zero | tr '\0' "$1"; }
torn()
{
    put k "$(fill a)"
    begin --signal HUP "$@" -- python3 ../reader.py
    await 'while it reads: up' has up
    for c in b c d e; do
        put k "$(fill $c)"
        await "while it reads: $c" has "renewed $c"
    done
    kill -TERM $pid
    ended 0 'while it reads: end'
    is 'never torn' "$(tail -1 log)" 'bad 0'
}
torn --file F=k
if "${kt_[@]}" exec --mount ../empty/k=k true 2>/dev/null; then
    torn --mount ../empty/k=k
    put k v1

    begin --env K=k --mount ../empty/k=k -- sh -c 'echo "start $K $(cat ../empty/k)"; exec sleep 600'
    await 'a mount: start' has 'start v1 v1'
    put k v2
    await 'a mount: start again' has 'start v2 v2'
    kill -TERM $pid
    ended 143 'a mount: end'
fi

# ---- a store that hangs: the program does not notice ---------------------------------------------------------

service hangs "read required mock_sloppy path=$TESTTMP/value"
service away "read required mock_sloppy path=$TESTTMP/value2"
printf v1 >../value
printf v1 >../value2
: >log
"${kt_[@]}" -s hangs exec --watch --every 100ms --env K=k --file F=k -- sh -c "$serve" >>log 2>words &
pid=$!
await 'a store that hangs: start' has 'start v1 v1'
mkfifo ../hole && mv ../hole ../value # who opens that waits for ever
asleep() { grep -qs 'wait_for_partner\|fifo_open' /proc/$pid/task/*/wchan || sleep 1; }
asleep
kill -TERM $pid
ended 3 'a store that hangs: TERM is forwarded, the program ends, and so does keyturn'
: >log
"${kt_[@]}" -s away exec --watch --every 100ms --env K=k --file F=k -- sh -c "$serve" >>log 2>words &
pid=$!
await 'a store that goes away: start' has 'start v1 v1'
rm ../value2
await 'a store that goes away: told' warned 'No such file.*goes on'
sleep 0.5
is 'a store that goes away: once' "$(wc -l <words) $(count start)" '1 1'
printf v2 >../value3 && mv ../value3 ../value2
await 'a store that comes back: the new value' has 'start v2 v2'
rm ../value2
twice() { [ "$(wc -l <words)" -eq 2 ]; }
await 'a store that goes away again: told again' twice
kill -TERM $pid
ended 3 'a store that goes away: end'

# ---- a terminal ----------------------------------------------------------------------------------------------

cat >../terminal.py <<'EOF'
import os, pty, select, signal, sys, time

def talk(words):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(words[0], words)
    return pid, fd

def until(fd, what):
    seen = b""
    while what not in seen:
        assert select.select([fd], [], [], 120)[0], (what, seen)
        seen += os.read(fd, 4096)
    return seen

program = r'''
import os, signal, sys, time
n = []
signal.signal(signal.SIGINT, lambda *a: n.append(1))
print("tty", os.isatty(0), os.isatty(1), os.tcgetpgrp(0) == os.getpgrp(), flush=True)
line = sys.stdin.readline()
print("line", line.strip(), flush=True)
while not n:
    time.sleep(0.05)
time.sleep(0.5)
print("interrupts", len(n), flush=True)
line = sys.stdin.readline()
print("again", line.strip(), flush=True)
sys.exit(7)
'''
for watch in [], ["--watch"]:
    words = [os.environ["KEYTURN"], "--module-dir", os.environ["KEYTURN_TEST_MODULES"], "exec",
             *watch, "--env", "K=k", "--", sys.executable, "-c", program]
    pid, fd = talk(words)
    until(fd, b"tty True True True")
    os.write(fd, b"hello\n")
    until(fd, b"line hello")
    os.write(fd, b"\x03")
    until(fd, b"interrupts 1")
    os.write(fd, b"more\n")
    until(fd, b"again more")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(fd)

# a shell with job control: ^Z stops the job, fg goes on with it
env = dict(os.environ, PS1="$ ", HISTFILE="/dev/null")
pid, fd = pty.fork()
if pid == 0:
    os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], env)
until(fd, b"$ ")
line = '"$KEYTURN" --module-dir "$KEYTURN_TEST_MODULES" exec --watch --env K=k -- cat\n'
os.write(fd, line.encode())
until(fd, b"cat\r\n")
os.write(fd, b"one\n")
until(fd, b"one\r\none\r\n")
os.write(fd, b"\x1a")
assert b"Stopped" in until(fd, b"\n$ ")
os.write(fd, b"fg\n")
until(fd, b"cat\r\n")
os.write(fd, b"two\n")
until(fd, b"two\r\ntwo\r\n")
os.write(fd, b"\x04")
until(fd, b"$ ")
os.write(fd, b"echo code $?\n")
until(fd, b"code 0\r\n")
os.write(fd, b"exit\n")
os.waitpid(pid, 0)
EOF
export KEYTURN
put k v1
ok 'a terminal: read, ^C once, ^Z and fg' python3 ../terminal.py
finish
