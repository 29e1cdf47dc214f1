#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench/keyring.sh - reads from GNOME Keyring, beside libsecret and secret-tool; and how soon one is told
# that there is none
#
# A private bus and keyring; nothing of the user's is touched. KEYTURN_PREFIX is an installed copy; CC the
# compiler; ITEMS how many there are in the keyring (100); RUNS of each program (200), in ROUNDS turns (10).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
prefix=${KEYTURN_PREFIX:?names an installed copy: ./dev bench keyring sets it}
items=${ITEMS:-100}
runs=${RUNS:-200}
rounds=${ROUNDS:-10}

TESTTMP=$(mktemp -d)
tmp=$TESTTMP
# shellcheck source=tests/secret-service.sh
. "$here/../tests/secret-service.sh"
needs_packages gnome-keyring-daemon:gnome-keyring secret-tool:libsecret-tools hyperfine:hyperfine
trap 'secrets_stop; rm -rf "$tmp"' EXIT

mkdir -m 700 "$tmp/home" "$tmp/config"
export KEYTURN_CONFIG_DIR=$tmp/config HOME=$tmp/home XDG_CONFIG_HOME=$tmp XDG_DATA_HOME=$tmp
printf 'read required keyring\nwrite required keyring\n' >"$tmp/config/deepseek"
bus_start
gnome_start pw
for ((i = 1; i < items; i++)); do
    printf 'not this one' | secret-tool store --label="other $i" server "host-$i" user me
done
printf sk-0123456789abcdef0123456789abcdef | "$prefix/bin/keyturn" set bench/one >/dev/null

# ---- in a process that is connected ----------------------------------------------------------------

PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # a list of flags
"${CC:-cc}" -O2 -std=gnu11 -D_GNU_SOURCE -o "$tmp/keyring" "$here/keyring.c" \
    $(pkg-config --cflags --libs keyturn libsecret-1) -Wl,-rpath,"$prefix/lib"
"$tmp/keyring" "$prefix/lib/keyturn/modules" deepseek bench/one

# ---- as programs -----------------------------------------------------------------------------------

# in_turns RESULT [-n NAME COMMAND]...: samples of each, RUNS in ROUNDS turns; it may fail
in_turns()
{
    local out=$1 round
    local -a each=()
    shift
    for ((round = 0; round < rounds; round++)); do
        hyperfine -N -i --warmup 3 --runs "$((runs / rounds))" --export-json "$out.$round.json" \
            "$@" >/dev/null 2>&1
        each+=("$out.$round.json")
    done
    python3 - "${each[@]}" <<'END'
import json, statistics, sys
times = {}
for path in sys.argv[1:]:
    for result in json.load(open(path))["results"]:
        times.setdefault(result["command"], []).extend(result["times"])
medians = []
for command, samples in times.items():
    low, mid, high = statistics.quantiles(samples, n=4)
    medians.append(mid)
    print(f"{command:44} {mid * 1e3:7.2f} ms  (p25 {low * 1e3:.2f}, p75 {high * 1e3:.2f})")
if len(medians) > 1:
    print(f"{'ratio':44} {medians[0] / medians[1]:7.2f}")
END
}

echo
in_turns "$tmp/get" -n 'keyturn get' "$prefix/bin/keyturn get bench/one" \
    -n 'secret-tool lookup' 'secret-tool lookup service deepseek name bench/one'
echo
echo "keyturn get without a keyring   (wanted: each under 50 ms)"
(
    unset DBUS_SESSION_BUS_ADDRESS
    export XDG_RUNTIME_DIR=$tmp/home
    in_turns "$tmp/nobus" -n 'no bus' "$prefix/bin/keyturn get bench/one"
    export DBUS_SESSION_BUS_ADDRESS=unix:path=$tmp/nonexistent
    in_turns "$tmp/dead" -n 'a bus that is gone' "$prefix/bin/keyturn get bench/one"
)
gnome_stop
in_turns "$tmp/noservice" -n 'a bus without the service' "$prefix/bin/keyturn get bench/one"
echo "items: $items, load: $(cut -d' ' -f1-3 /proc/loadavg), processors: $(nproc)"
