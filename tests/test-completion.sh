#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The completions know every command and option that the program knows.
# shellcheck source=tests/cli.sh
. "${srcdir:?}/tests/cli.sh"

bash_file=$srcdir/completions/keyturn.bash
zsh_file=$srcdir/completions/_keyturn
service deepseek 'read required debug names=deepseek/api,deepseek/old,other' 'write required debug'
service production 'read required debug names=prod/key' 'write required debug'

ok 'bash reads it' bash -n "$bash_file"
if command -v zsh >/dev/null; then
    ok 'zsh reads it' zsh -n "$zsh_file"
fi

# keyturn is the built program here
mkdir bin
printf '#!/bin/sh\nexec "%s" --module-dir "%s" "$@"\n' "$KEYTURN" "$KEYTURN_TEST_MODULES" >bin/keyturn
chmod +x bin/keyturn
PATH=$TESTTMP/bin:$PATH
# shellcheck source=completions/keyturn.bash
. "$bash_file"

# offered WORD...: what is offered for the last one
offered()
{
    # shellcheck disable=SC2034
    COMP_WORDS=(keyturn "$@") COMP_CWORD=$#
    _keyturn 2>/dev/null
    echo "${COMPREPLY[*]}"
}

is 'a command' "$(offered ver)" versions
is 'names' "$(offered get deep)" 'deepseek/api deepseek/old'
is 'names of another service' "$(offered -s production get p)" prod/key
is 'one name only' "$(offered get deepseek/api d)" ''
is 'after an option with a value' "$(offered get --version x deep)" 'deepseek/api deepseek/old'
is 'a service' "$(offered -s prod)" production
is 'a stage' "$(offered get a --stage p)" 'pending previous'
is 'a stage of set: no previous' "$(offered set a --stage '')" 'current pending'
is 'a stage for a version' "$(offered stage a pr)" previous
is 'where to stage' "$(offered stage a x c)" current
is 'a module' "$(offered modules deb)" debug
is 'an option' "$(offered delete a --pu)" --purge

kt help
commands=$(sed -n '/^commands/,/^$/s/^  \([a-z]*\) .*/\1/p' out)
ok 'there are commands' test "$(wc -w <<<"$commands")" -ge 21
# In a subshell zsh sends SIGCONT to what it waits for: the leak detector's own stop of the program is
# lost by that, and it waits for ever.
zsh_offers()
{
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 zsh -fc "keyturn_functions_only=1; . '$zsh_file'; $1"
}
for c in $commands; do
    is "bash offers $c" "$(offered "$c" | tr ' ' '\n' | grep -cx "$c")" 1
    kt help "$c"
    sed -nE 's/^  (-., |    )(--[a-z-]+).*/\2/p' out | sort -u >options
    while read -r o; do
        is "bash: $c $o" "$(offered "$c" "$o" | tr ' ' '\n' | grep -cx -- "$o")" 1
    done <options
    if command -v zsh >/dev/null; then
        ok "zsh offers $c" grep -q "^$c:" <(zsh_offers _keyturn_command_list)
        zsh_offers "_keyturn_options $c" | sed -nE 's/^\*(--[a-z-]+)\[.*/\1/p' | sort -u >offered
        ok "zsh: all options of $c" cmp options offered
    fi
done

finish
