#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench/exec.sh - what keyturn exec costs over its parts: a get, and the program itself
#
# Runs take turns, so that a machine that changes its speed changes it for all. Beside them the same
# done by a shell, with keyturn get and, where it is installed, with age; and exec's other ways. Prints
# medians; writes nothing but its own temporary directory. KEYTURN names the program, RUNS how often
# (default 300), ROUNDS in how many turns (30).
set -euo pipefail

keyturn=${KEYTURN:?names the keyturn program to measure: ./dev bench exec sets it}
runs=${RUNS:-300}
rounds=${ROUNDS:-30}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -m 700 "$tmp/home" "$tmp/config" "$tmp/empty"
clean=(env -i "PATH=/usr/sbin:/usr/bin:/sbin:/bin" "HOME=$tmp/home" "KEYTURN_CONFIG_DIR=$tmp/config"
    "XDG_CONFIG_HOME=$tmp/home/.config" "XDG_DATA_HOME=$tmp/home/.local/share" LC_ALL=C
    ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"})
value=sk-0123456789abcdef0123456789abcdef

# KEYTURN_MODULES: where its modules are, if not where it was installed
q=$(printf '%q' "$keyturn")${KEYTURN_MODULES:+ --module-dir $(printf '%q' "$KEYTURN_MODULES")}
printf 'read required file path=%s/store.db key=%s/store.key\nwrite required file\n' \
    "$tmp" "$tmp" >"$tmp/config/deepseek"
printf %s "$value" | "${clean[@]}" bash -c "$q -q set n"

declare -A command=(
    [exec]="$q exec --env K=n -- /bin/true"
    [get]="$q get n"
    [true]="/bin/true"
    [file]="$q exec --file K=n -- /bin/true"
    [mount]="$q exec --mount $tmp/empty/n=n -- /bin/true"
    [shell]="/bin/sh -c 'K=\$($q get n) exec /bin/true'"
)
order=(exec get true file mount shell)
if command -v age age-keygen >/dev/null; then
    age-keygen -o "$tmp/identity" 2>/dev/null
    printf %s "$value" | age -r "$(age-keygen -y "$tmp/identity")" -o "$tmp/secret.age"
    command[age]="/bin/sh -c 'K=\$(age -d -i $tmp/identity $tmp/secret.age) exec /bin/true'"
    order+=(age)
fi
[ "$("${clean[@]}" bash -c "$q exec --env K=n -- /usr/bin/printenv K")" = "$value" ] ||
    { echo "exec.sh: keyturn exec does not give the value" >&2; exit 1; }
"${clean[@]}" bash -c "${command[mount]}" 2>/dev/null || # the kernel may not allow it
    order=("${order[@]/mount/}")

for ((round = 0; round < rounds; round++)); do
    for who in "${order[@]}"; do
        [ -z "$who" ] || "${clean[@]}" hyperfine -N --style none --warmup 3 --runs $((runs / rounds)) \
            --export-json "$tmp/$who.$round.json" "${command[$who]}" >/dev/null 2>&1
    done
done

python3 - "$tmp" "$rounds" "${order[@]}" <<'END'
import json, statistics, sys
tmp, rounds = sys.argv[1], int(sys.argv[2])
label = {"exec": "exec --env", "get": "get", "true": "true", "file": "exec --file",
         "mount": "exec --mount", "shell": "K=$(get) true", "age": "K=$(age -d) true"}
median = {}
for who in filter(None, sys.argv[3:]):
    times = []
    for n in range(rounds):
        with open(f"{tmp}/{who}.{n}.json") as f:
            times += json.load(f)["results"][0]["times"]
    times.sort()
    median[who] = statistics.median(times) * 1000
    quarter = len(times) // 4
    print(f"{label[who]:16} median {median[who]:7.2f} ms   p25 {times[quarter] * 1000:7.2f}"
          f"   p75 {times[-quarter - 1] * 1000:7.2f}   n {len(times)}")
over = median["exec"] - median["get"] - median["true"]
print(f"exec - (get + true) {over:+.2f} ms   (wanted: at most +2.00)")
END
