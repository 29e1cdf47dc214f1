#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench/scan.sh - keyturn scan of a large work tree against grep -rE with the same shapes, interleaved
#
# The tree is a copy of what lies below SOURCES (default: /usr/include, /usr/share/doc,
# /usr/share/perl, /usr/lib/python3), at most MEGABYTES (default 400) of it, committed to git and
# packed; a key is planted in it. All read the files alone, warm; then keyturn scans the history, too.
# KEYTURN names the program, ROUNDS how often (default 5).
set -euo pipefail

keyturn=${KEYTURN:?names the keyturn program to measure: ./dev bench scan sets it}
rounds=${ROUNDS:-5}
megabytes=${MEGABYTES:-400}
read -ra sources <<<"${SOURCES:-/usr/include /usr/share/doc /usr/share/perl /usr/lib/python3}"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -m 700 "$tmp/home" "$tmp/config" "$tmp/tree"
printf 'read required file path=%s/store.db key=%s/store.key\nwrite required file\n' \
    "$tmp" "$tmp" >"$tmp/config/deepseek"
clean=(env -i "PATH=$PATH" "HOME=$tmp/home" "KEYTURN_CONFIG_DIR=$tmp/config")

# ---- the tree --------------------------------------------------------------------------------------

hex()
{
    od -An -tx1 -N "$1" /dev/urandom | tr -d ' \n'
}
printf 'sk-%s' "$(hex 16)" >"$tmp/value"
for i in 1 2 3 4 5 6 7 8 9; do
    hex 16 | "${clean[@]}" "$keyturn" -q set "other/$i" >/dev/null
done
"${clean[@]}" "$keyturn" -q set deepseek/api-key "$tmp/value" >/dev/null

for source in "${sources[@]}"; do
    [ -d "$source" ] || continue
    mkdir -p "$tmp/tree$source"
    cp -r --no-preserve=all "$source/." "$tmp/tree$source" 2>/dev/null || true
    [ "$(du -sm --apparent-size "$tmp/tree" | cut -f1)" -lt "$megabytes" ] || break
done
find "$tmp/tree" ! -type f ! -type d -delete
mkdir -p "$tmp/tree/planted/deep"
{ echo 'a line'; cat "$tmp/value"; } >"$tmp/tree/planted/deep/file"
"${clean[@]}" git -C "$tmp/tree" init -q
"${clean[@]}" git -C "$tmp/tree" -c gc.auto=0 add -A
"${clean[@]}" git -C "$tmp/tree" -c user.name=b -c user.email=b@example.com -c gc.auto=0 commit -q -m all
"${clean[@]}" git -C "$tmp/tree" repack -adq
echo "tree: $(du -sm --apparent-size --exclude=.git "$tmp/tree" | cut -f1) MB in" \
    "$(find "$tmp/tree" -name .git -prune -o -type f -print | wc -l) files"

# The shapes of the table, as far as an expression can say them.
shapes='sk-([0-9a-fA-F]{32}|[A-Za-z0-9]{40,64}|(proj|svcacct|service|None|admin)-[A-Za-z0-9_-]{32,200}'
shapes+='|or-v1-[0-9a-fA-F]{64}|ant-[A-Za-z0-9_-]{40,200})|(AKIA|ASIA)[A-Z0-9]{16}'
shapes+='|[A-Za-z0-9]{52}JQQJ9[A-Za-z0-9]{27}|[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,34}'
shapes+='|csk-[A-Za-z0-9]{48}|dapi[0-9a-f]{32}|dop_v1_[0-9a-f]{64}|dckr_pat_[A-Za-z0-9_-]{27}'
shapes+='|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82}|gl(pat|dt|rt|cbt|ptt)-[A-Za-z0-9_.-]{20,64}'
shapes+='|AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|glsa_[A-Za-z0-9_]{41}|gsk_[A-Za-z0-9]{52}'
shapes+='|hf_[A-Za-z0-9]{34,40}|eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{40,}'
shapes+='|lin_api_[A-Za-z0-9]{40}|npm_[A-Za-z0-9]{36}|nvapi-[A-Za-z0-9_-]{64}|pplx-[A-Za-z0-9]{48,64}'
shapes+='|-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-1[A-Z0-9]{58}|pypi-AgE[A-Za-z0-9_-]{60,}'
shapes+='|r8_[A-Za-z0-9]{37}|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|shpat_[0-9a-fA-F]{32}'
shapes+='|(xox[abprse]|xapp)-[A-Za-z0-9_-]{24,}|[sr]k_live_[A-Za-z0-9]{20,}|tvly-[A-Za-z0-9_-]{32,60}'
shapes+='|tgp_v1_[A-Za-z0-9_-]{43}|hvs\.[A-Za-z0-9_-]{24,}|xai-[A-Za-z0-9]{70,90}'

# ---- turns -----------------------------------------------------------------------------------------

# measure WHO COMMAND...: a line with its time; it must find the planted key
measure()
{
    local who=$1 begin end
    shift
    begin=$(date +%s%N)
    "${clean[@]}" "$@" >"$tmp/out" 2>"$tmp/err" || true
    end=$(date +%s%N)
    grep -q planted/deep/file "$tmp/out" || { echo "scan.sh: $who does not find the key" >&2; exit 1; }
    echo "$who $(((end - begin) / 1000))" >>"$tmp/times"
}

for ((round = 0; round <= rounds; round++)); do
    [ "$round" -ne 1 ] || : >"$tmp/times" # the first was to warm up
    measure grep-c LC_ALL=C grep -rE --exclude-dir=.git -e "$shapes" "$tmp/tree"
    measure grep-utf8 LC_ALL=C.UTF-8 grep -rE --exclude-dir=.git -e "$shapes" "$tmp/tree"
    measure shapes LC_ALL=C.UTF-8 "$keyturn" scan --no-history --shapes-only "$tmp/tree"
    measure all LC_ALL=C.UTF-8 "$keyturn" scan --no-history "$tmp/tree"
    measure history LC_ALL=C.UTF-8 "$keyturn" scan "$tmp/tree"
done

python3 - "$tmp/times" "$tmp/tree" <<'END'
import os, statistics, sys
times = {}
for line in open(sys.argv[1]):
    who, us = line.split()
    times.setdefault(who, []).append(int(us) / 1e6)
size = sum(os.path.getsize(os.path.join(d, f)) for d, dirs, files in os.walk(sys.argv[2])
           if ".git" not in d.split("/") for f in files)
median = {who: statistics.median(t) for who, t in times.items()}
names = {"grep-c": "grep -rE, LC_ALL=C", "grep-utf8": "grep -rE, UTF-8", "shapes": "scan --shapes-only",
         "all": "scan, our own too", "history": "scan with history"}
for who, name in names.items():
    rate = f"   {size / median[who] / 1e6:6.0f} MB/s" if who != "history" else ""
    print(f"{name:20} median {median[who]:6.2f} s   best {min(times[who]):6.2f} s   n {len(times[who])}{rate}")
for who in ("grep-c", "grep-utf8"):
    print(f"speed of scan / {names[who]:20} {median[who] / median['all']:.2f}   (wanted: at least 0.50)")
END
