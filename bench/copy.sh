#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench/copy.sh - keyturn copy, from one file to another: secrets and versions a second
#
# Once in memory, where syncs are free and only CPU is left, and once on the disk of TMPDIR (/var/tmp): a copy
# of everything, and one that finds everything there. KEYTURN_PREFIX is an installed copy; CC the compiler.
# SECRETS is how many (10000), VERSIONS of each (1 and 3).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
prefix=${KEYTURN_PREFIX:?names an installed copy: ./dev bench copy sets it}
secrets=${SECRETS:-10000}

disk=$(mktemp -d "${TMPDIR:-/var/tmp}/keyturn-bench.XXXXXX")
memory=$(mktemp -d /dev/shm/keyturn-bench.XXXXXX 2>/dev/null || mktemp -d)
trap 'rm -rf "$disk" "$memory"' EXIT

PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # a list of flags
"${CC:-cc}" -O2 -std=gnu11 -D_GNU_SOURCE -o "$disk/store" "$here/../tests/copy-store.c" \
    $(pkg-config --cflags --libs keyturn) -Wl,-rpath,"$prefix/lib"

# measure WHAT NUMBER COMMAND...
measure()
{
    local what=$1 number=$2 begun ended
    shift 2
    begun=$(date +%s%N)
    "$@" >/dev/null
    ended=$(date +%s%N)
    awk -v what="$what" -v n="$number" -v s="$secrets" -v ns=$((ended - begun)) 'BEGIN {
        printf "%-44s %7.2f s %8.0f secrets/s %8.0f versions/s\n", what, ns / 1e9, s * 1e9 / ns, n * 1e9 / ns
    }'
}

for place in "$memory" "$disk"; do
    name=disk
    [ "$place" != "$memory" ] || name=memory
    for versions in ${VERSIONS:-1 3}; do
        export KEYTURN_CONFIG_DIR=$place/etc-$versions
        mkdir -m 700 "$KEYTURN_CONFIG_DIR"
        for end in a b; do
            printf 'read required file path=%s key=%s\nwrite required file\n' \
                "$KEYTURN_CONFIG_DIR/$end.db" "$KEYTURN_CONFIG_DIR/$end.key" >"$KEYTURN_CONFIG_DIR/$end"
        done
        "$disk/store" fill a 1 "$secrets" "$versions"
        measure "$name, $versions version(s): all of it" $((secrets * versions)) \
            "$prefix/bin/keyturn" copy --from a --to b
        measure "$name, $versions version(s): nothing to do" $((secrets * versions)) \
            "$prefix/bin/keyturn" copy --from a --to b
    done
done
