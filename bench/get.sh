#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench/get.sh - one read, whole process: keyturn get against age and pass, interleaved
#
# keyturn reads its default store; age decrypts to an X25519 identity; pass shows an entry of an RSA
# key without passphrase through a warm gpg-agent. Runs take turns, so that a machine that changes
# its speed changes it for all three. Prints medians and ratios; writes nothing but its own temporary
# directory. KEYTURN names the program, RUNS how often (default 300), ROUNDS in how many turns (10).
set -euo pipefail

keyturn=${KEYTURN:?names the keyturn program to measure: ./dev bench get sets it}
runs=${RUNS:-300}
rounds=${ROUNDS:-10}

tmp=$(mktemp -d)
cleanup()
{
    GNUPGHOME=$tmp/gnupg gpgconf --kill all 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT

mkdir -m 700 "$tmp/home" "$tmp/gnupg" "$tmp/config"
clean=(env -i "PATH=/usr/sbin:/usr/bin:/sbin:/bin" "HOME=$tmp/home" "GNUPGHOME=$tmp/gnupg"
    "PASSWORD_STORE_DIR=$tmp/pass" "KEYTURN_CONFIG_DIR=$tmp/config"
    "XDG_CONFIG_HOME=$tmp/home/.config" "XDG_DATA_HOME=$tmp/home/.local/share" LC_ALL=C)
value=sk-0123456789abcdef0123456789abcdef

# ---- the same value in each ------------------------------------------------------------------------

# The default store for anybody but root, whose own is the machine's: then one of our own beside it.
if [ "$(id -u)" -eq 0 ]; then
    printf 'read required file path=%s/store.db key=%s/store.key\nwrite required file\n' \
        "$tmp" "$tmp" >"$tmp/config/deepseek"
fi
printf %s "$value" | "${clean[@]}" "$keyturn" set deepseek/api-key >/dev/null

age-keygen -o "$tmp/identity" 2>/dev/null
printf %s "$value" | age -r "$(age-keygen -y "$tmp/identity")" -o "$tmp/secret.age"

printf '%s\n' '%no-protection' 'Key-Type: RSA' 'Key-Length: 3072' 'Subkey-Type: RSA' \
    'Subkey-Length: 3072' 'Name-Real: bench' 'Name-Email: bench@example.com' 'Expire-Date: 0' \
    '%commit' | "${clean[@]}" gpg --batch --quiet --gen-key 2>/dev/null
"${clean[@]}" pass init bench@example.com >/dev/null
printf '%s\n' "$value" | "${clean[@]}" pass insert -m -f deepseek/api-key >/dev/null

declare -A command=(
    [keyturn]="$(printf '%q get deepseek/api-key' "$keyturn")"
    [age]="age -d -i $tmp/identity $tmp/secret.age"
    [pass]="pass show deepseek/api-key"
)
for who in keyturn age pass; do
    [ "$("${clean[@]}" bash -c "${command[$who]}")" = "$value" ] ||
        { echo "get.sh: $who does not give the value" >&2; exit 1; }
done

# ---- turns -----------------------------------------------------------------------------------------

for ((round = 0; round < rounds; round++)); do
    for who in keyturn age pass; do
        "${clean[@]}" hyperfine -N --style none --warmup 3 --runs $((runs / rounds)) \
            --export-json "$tmp/$who.$round.json" "${command[$who]}" >/dev/null 2>&1
    done
done

python3 - "$tmp" "$rounds" <<'END'
import json, statistics, sys
tmp, rounds = sys.argv[1], int(sys.argv[2])
median = {}
for who in ("keyturn", "age", "pass"):
    times = []
    for n in range(rounds):
        with open(f"{tmp}/{who}.{n}.json") as f:
            times += json.load(f)["results"][0]["times"]
    times.sort()
    median[who] = statistics.median(times) * 1000
    quarter = len(times) // 4
    print(f"{who:8} median {median[who]:7.2f} ms   p25 {times[quarter] * 1000:7.2f}"
          f"   p75 {times[-quarter - 1] * 1000:7.2f}   n {len(times)}")
print(f"keyturn / age  {median['keyturn'] / median['age']:.2f}   (wanted: at most 1.50)")
print(f"keyturn / pass {median['keyturn'] / median['pass']:.2f}   (wanted: at most 0.33)")
END
