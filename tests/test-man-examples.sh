#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every example in the manual and the README is run, against an installed copy.
#
# In a page the line before `.Bd -literal` says what the block is; in README.md the word after the
# fence does:
#   .\" example: shell              a session: lines after `$ ` (and `> `) are commands, others their
#                                   output on a terminal; ids, times and spans of time may differ.
#                                   Without `$ `, a script. Both with no service file and no store
#   .\" example: service [NAME]     a service file that `keyturn check` accepts without a warning; by
#                                   NAME later ones of the page include it
#   .\" example: c                  a program that ends with 0
#   .\" example: c-body             statements in a function with an open handle h and an err
#   .\" example: module NAME        a module that passes `keyturn conform`
#   .\" example: declaration FILE   what the header says, comments aside
# A block without such a line is an error.
set -u
. "${srcdir:?}/tests/installed.sh"

log=$TESTTMP/log
blocks=$TESTTMP/blocks
mkdir "$blocks" || exit 99
include=$(pkg-config --variable=includedir keyturn)/keyturn

# Sessions use the default store. It has to be a place that is ours, and nothing may be there.
without_services()
{
    env -u KEYTURN_CONFIG_DIR "$@"
}
places=$(without_services keyturn file viable 2>/dev/null)
default_store=$(sed -n 's/^store: *\(.*\), not made yet.*/\1/p' <<<"$places")
default_key=$(sed -n 's/^key: *\(\/.*\)/\1/p' <<<"$places")
case $default_store in
"$TESTTMP"/* | "$KEYTURN_PREFIX"/*) [ -n "$default_key" ] && [ ! -e "$default_key" ] || default_store= ;;
*) default_store= ;;
esac
forget_default_store()
{
    [ -z "$default_store" ] || rm -f "$default_store" "$default_store"-* "$default_key"
}
trap forget_default_store EXIT

# ---- finding them ---------------------------------------------------------------------------------

# page_blocks PAGE - a file PAGE.LINE for each block, whose first line is its kind; complains on stdout
page_blocks()
{
    awk -v out="$blocks/$(basename "$1")" '
        function plain(s) {
            gsub(/\\e/, "\001", s); gsub(/\\-/, "-", s); gsub(/\\&/, "", s)
            gsub(/\\\(aq/, "\047", s); gsub(/\\\(dq/, "\"", s); gsub(/\\\(ti/, "~", s)
            gsub(/\\\(ha/, "^", s); gsub(/\\\(ga/, "`", s)
            if (s ~ /\\/) print FILENAME ":" NR ": an escape that is not understood: " s
            gsub(/\001/, "\\", s)
            return s
        }
        marked && !/^\.Bd -literal/ { print FILENAME ":" NR ": nothing follows the mark"; marked = 0 }
        sub(/^\.\\" example: /, "") { mark = $0; marked = 1; next }
        /^\.Bd .*-literal/ {
            if (!marked) { print FILENAME ":" NR ": example without a mark"; next }
            marked = 0; to = sprintf("%s.%04d", out, NR); print mark >to; next
        }
        /^\.Ed/ { if (to) close(to); to = ""; next }
        to { print plain($0) >to }
    ' "$1"
}

readme_blocks()
{
    awk -v out="$blocks/$(basename "$1")" '
        /^```/ && to { close(to); to = ""; next }
        /^```/ {
            if ($0 == "```") print FILENAME ":" NR ": example without a mark"
            to = sprintf("%s.%04d", out, NR); print substr($0, 4) >to; next
        }
        to { print >to }
    ' "$1"
}

# ---- running them ---------------------------------------------------------------------------------

# A home, services and a store as after installation, with one key in it.
fresh()
{
    work=$TESTTMP/work
    forget_default_store
    rm -rf "$work" "$HOME" "${store:?}"
    mkdir -p "$work/examples" "$HOME"
    mkdir -m 700 "$store"
    cp "$srcdir"/examples/* "$work/examples"
    cd "$work" || exit 99
}

with_key()
{
    fresh
    printf sk-example | keyturn -q set deepseek/api-key
}

# What differs from run to run, and how wide that makes a column.
normal()
{
    sed -E -e 's/\r//g' -e "s#$TESTTMP##g" \
        -e 's/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/ID/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z/TIME/g' \
        -e 's/\b[0-9]+(\.[0-9]+)?(ms|s|m|h|d)\b/SPAN/g' -e 's/[ \t]+/ /g' -e 's/ $//'
}

run_shell()
{
    fresh
    unset KEYTURN_CONFIG_DIR
    if ! grep -q '^\$ ' "$1"; then
        bash -e "$1"
        return
    fi
    # A mark before the output of each command.
    awk 'BEGIN { print "set -e"; mark = "printf \"\\n\\001\\n\"" }
        /^\$ / { print mark; print substr($0, 3); next }
        /^> / { print substr($0, 3) }
        END { print mark }' "$1" >script
    TERM=dumb script -qec "bash script" /dev/null </dev/null 2>&1 | normal |
        awk '/^\001/ { held = 0; print "$"; next } /^$/ { held++; next }
            { for (; held > 0; held--) print ""; print }' >got
    { awk '/^\$ / { print "$"; next } /^> / { next } { print }' "$1"; echo '$'; } | normal |
        awk '/^\$$/ { held = 0; print; next } /^$/ { held++; next }
            { for (; held > 0; held--) print ""; print }' >want
    diff -u --label 'as printed' want --label 'as it was' got
}

run_service()
{
    local name=${2:-example} said
    cp "$1" "$KEYTURN_CONFIG_DIR/$name"
    fresh
    said=$(keyturn check "$KEYTURN_CONFIG_DIR/$name" 2>&1)
    local rc=$?
    printf '%s\n' "$said"
    [ $rc -eq 0 ] && ! grep -qiE 'warning|error' <<<"$said"
}

compile()
{
    local -a flags
    read -ra flags <<<"$(pkg-config --cflags --libs keyturn)"
    $CC -Wall -Wextra -Werror -o "$1" "${@:2}" "${flags[@]}"
}

run_c()
{
    with_key && cp "$1" example.c && compile example example.c && ./example
}

run_c_body()
{
    fresh
    {
        printf '#include <%s>\n' assert.h poll.h stdio.h stdlib.h string.h keyturn/keyturn.h
        printf 'static int example(struct kt_handle *h)\n{\n    struct kt_err err = { 0 };\n\n'
        printf '    (void)h;\n    (void)err;\n#line 1 "%s"\n' "$3"
        cat "$1"
        cat <<'END'
    return KT_SUCCESS;
}

int main(void)
{
    struct kt_handle *h;
    int rc;

    if (kt_open(NULL, NULL, &h, NULL) != KT_SUCCESS ||
        kt_put(h, "deepseek/api-key", "sk-example", 10, NULL, NULL, NULL) != KT_SUCCESS)
        return 100;
    rc = example(h);
    kt_close(h);
    if (rc != KT_SUCCESS)
        fprintf(stderr, "ended with %s\n", kt_status_name(rc));
    if (kt_secret_live() != 0)
        fprintf(stderr, "%zu secrets were not released\n", kt_secret_live());
    return rc != KT_SUCCESS || kt_secret_live() != 0;
}
END
    } >example.c
    compile example example.c && ./example
}

run_module()
{
    local -a flags
    fresh
    mkdir modules && cp "$1" "$2.c" || return 1
    read -ra flags <<<"$(pkg-config --cflags keyturn)"
    $CC -Wall -Wextra -Werror -shared -fPIC -o "modules/$2.so" "$2.c" "${flags[@]}" &&
        keyturn --module-dir "$PWD/modules" conform "$2"
}

# Without comments and blanks.
squeezed()
{
    tr '\n' ' ' <"$1" | sed -E 's#/\*([^*]|\*+[^*/])*\*+/##g' | tr -d '[:space:]'
}

run_declaration()
{
    local here there
    # A block may hold several.
    csplit -s -z -f "$TESTTMP/part." "$1" '/^$/' '{*}'
    there=$(squeezed "$include/$2")
    for part in "$TESTTMP"/part.*; do
        here=$(squeezed "$part")
        [[ $there == *"$here"* ]] || { echo "not as in $2:"; cat "$part"; rm -f "$TESTTMP"/part.*; return 1; }
    done
    rm -f "$TESTTMP"/part.*
}

run()
{
    case $2 in
    shell) run_shell "$1" ;;
    service) run_service "$1" "$3" ;;
    c) run_c "$1" ;;
    c-body) run_c_body "$1" "$3" "$4" ;;
    module) run_module "$1" "$3" ;;
    declaration) run_declaration "$1" "$3" ;;
    text) ;;
    *) echo "a kind of example that is not known: $2"; return 1 ;;
    esac
}

# ---- all of them ----------------------------------------------------------------------------------

for page in "$srcdir"/man/*.[1-8] "$srcdir"/man/*.in; do
    [ ! -e "$page.in" ] || continue # made from it
    page_blocks "$page"
done >"$log"
readme_blocks "$srcdir/README.md" >>"$log"
[ ! -s "$log" ]
result $? "every example says what it is" "$log"

for block in "$blocks"/*; do
    read -r kind argument <"$block"
    where=$(basename "$block" | sed 's/\.\([0-9]*\)$/:\1/')
    tail -n +2 "$block" >"$TESTTMP/block"
    # Services of one page see each other, not those of other pages.
    case $page in "${where%:*}") ;; *) find "$KEYTURN_CONFIG_DIR" -type f ! -name deepseek -delete ;; esac
    page=${where%:*}
    if [ "$kind" = shell ] && [ -z "$default_store" ]; then
        skip "$where: $kind" "the default store is not the test's to use"
        continue
    fi
    (run "$TESTTMP/block" "$kind" "$argument" "$where") >"$log" 2>&1
    result $? "$where: $kind" "$log"
done

# ---- SYNOPSIS and header say the same -------------------------------------------------------------

header=$(sed -E 's/\b(KT_API|KT_MUST_CHECK)\b//g' "$include/keyturn.h" >"$TESTTMP/header" &&
    squeezed "$TESTTMP/header")
functions=$(sed -n 's/^KT_API .*\b\(kt_[a-z_]*\)(.*/\1/p' "$include/keyturn.h")
cat "$srcdir"/man/kt_*.3 "$srcdir"/man/kt_*.3.in | awk '
    /^\.Ft / { sub(/^\.Ft /, ""); gsub(/"/, ""); type = $0 }
    /^\.Fo / { name = $2; args = "" }
    /^\.Fa / && name { sub(/^\.Fa /, ""); gsub(/"/, ""); args = args (args ? "," : "") $0 }
    /^\.Fc/ { s = type name "(" args ");"; gsub(/[ \t]/, "", s); print name, s; name = "" }
' | sort -u >"$TESTTMP/synopses"
{
    while read -r name synopsis; do
        [[ $header == *"$synopsis"* ]] || echo "$name is declared otherwise than $synopsis"
    done <"$TESTTMP/synopses"
    for f in $functions; do
        grep -q "^$f " "$TESTTMP/synopses" || echo "$f has no SYNOPSIS"
    done
} >"$log"
[ ! -s "$log" ] && [ -n "$functions" ]
result $? "the SYNOPSIS of each function is what the header declares" "$log"

# ---- the pages name what there is -----------------------------------------------------------------

{
    for command in $(keyturn help | awk '/^commands/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
        grep -qw "Cm $command" "$srcdir/man/keyturn.1.in" || echo "no command $command"
        page=$srcdir/man/keyturn-$command.1
        [ -e "$page" ] || page=$srcdir/man/keyturn.1.in
        for option in $(keyturn help "$command" | sed -nE 's/^  (-., |    )-(-[a-z-]+).*/\2/p'); do
            grep -qE "Fl $option\b" "$page" "$srcdir/man/keyturn.1.in" || echo "$command: no option $option"
        done
    done
} >"$log"
[ ! -s "$log" ]
result $? "keyturn(1) has every command and option" "$log"

for module in $(keyturn modules | cut -f1 | awk '{ print $1 }'); do
    page=$srcdir/man/keyturn-$module.8
    [ -e "$page" ] || continue # of a module that was installed by somebody else
    for word in $(keyturn modules "$module" | awk '/^$/ { on = 0 } on { print $1 } /^(OPTION|VERB)/ { on = 1 }'); do
        grep -qE "Cm $word\b" "$page" || echo "keyturn-$module(8): no $word"
    done
done >"$log"
[ ! -s "$log" ]
result $? "the modules' pages have their options and verbs" "$log"

forget_default_store
[ -z "$default_store" ] || rmdir -p --ignore-fail-on-non-empty \
    "$(dirname "$default_store")" "$(dirname "$default_key")" 2>/dev/null

plan
