# SPDX-License-Identifier: Apache-2.0
# bash completion for keyturn(1): commands and options are those that `keyturn help` tells

_keyturn_names()
{
    # Short, and with nobody to ask: completion neither waits for a cloud nor prompts.
    local -a only=()
    [[ -n $1 ]] && only=(-s "$1")
    keyturn -q --timeout 2s "${only[@]}" list </dev/null 2>/dev/null
}

_keyturn_services()
{
    local dir file
    for dir in "${KEYTURN_CONFIG_DIR:-}" "${XDG_CONFIG_HOME:-$HOME/.config}/keyturn" /etc/keyturn.d; do
        [[ -n $dir ]] || continue
        for file in "$dir"/*; do
            # a name, and no key, socket or backup that lies beside
            [[ -f $file && ${file##*/} =~ ^[a-z0-9_-]{1,64}$ ]] && printf '%s\n' "${file##*/}"
        done
    done
}

_keyturn_modules()
{
    keyturn --timeout 2s modules </dev/null 2>/dev/null | cut -f1 | grep -v '\.so$'
}

_keyturn_commands()
{
    keyturn help 2>/dev/null | sed -n '/^commands/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# _keyturn_options [COMMAND] - a line each, with the word that its value is called by, if it has one
_keyturn_options()
{
    keyturn help "$@" 2>/dev/null |
        sed -nE 's/^  (-., |    )(--[a-z-]+)( ([^ ]+))?(  .*|$)/\2 \4/p'
}

_keyturn_files()
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_keyturn_offer()
{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# _keyturn_value COMMAND WHAT CURRENT - the value of an option
_keyturn_value()
{
    case $2 in
        SERVICE) _keyturn_offer "$(_keyturn_services)" "$3" ;;
        STAGE)
            if [[ $1 == set ]]; then
                _keyturn_offer 'current pending' "$3"
            else
                _keyturn_offer 'current pending previous' "$3"
            fi ;;
        DIR) mapfile -t COMPREPLY < <(compgen -d -- "$3") ;;
        FILE | PATH) _keyturn_files "$3" ;;
    esac
}

# _keyturn_word COMMAND HOW-MANY-BEFORE CURRENT SERVICE
_keyturn_word()
{
    case $1 in
        get | list | versions | delete | restore | repair | explain | copy)
            (($2 == 0)) && _keyturn_offer "$(_keyturn_names "$4")" "$3" ;;
        set)
            if (($2 == 0)); then _keyturn_offer "$(_keyturn_names "$4")" "$3"; else _keyturn_files "$3"; fi ;;
        stage)
            case $2 in
                0) _keyturn_offer "$(_keyturn_names "$4")" "$3" ;;
                1) _keyturn_offer 'previous pending none' "$3" ;;
                2) _keyturn_offer 'current pending' "$3" ;;
            esac ;;
        check)
            mapfile -t COMPREPLY < <(compgen -W "$(_keyturn_services)" -- "$3"; compgen -f -- "$3") ;;
        modules | conform) _keyturn_offer "$(_keyturn_modules)" "$3" ;;
        help) _keyturn_offer "$(_keyturn_commands; _keyturn_modules)" "$3" ;;
        render | import | scan) _keyturn_files "$3" ;;
        export)
            if (($2 == 0)); then _keyturn_files "$3"; else _keyturn_offer "$(_keyturn_names "$4")" "$3"; fi ;;
    esac
}

_keyturn()
{
    local cur=${COMP_WORDS[COMP_CWORD]} command='' service='' word what i words=0
    local -A value=()
    COMPREPLY=()

    while read -r word what; do [[ -z $what ]] || value[$word]=$what; done < <(_keyturn_options)
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            -s) word=--service ;;
            --)
                if [[ $command == exec ]]; then # what follows is a command line of its own
                    _command_offset $((i + 1)) 2>/dev/null
                    return
                fi
                continue ;;
        esac
        if [[ $word == -* ]]; then
            [[ -n ${value[$word]:-} ]] || continue
            if ((i + 1 == COMP_CWORD)); then
                _keyturn_value "$command" "${value[$word]}" "$cur"
                return
            fi
            ((++i))
            [[ $word == --service ]] && service=${COMP_WORDS[i]}
        elif [[ -z $command ]]; then
            command=$word
            while read -r word what; do
                [[ -z $what ]] || value[$word]=$what
            done < <(_keyturn_options "$command")
        else
            ((++words))
        fi
    done

    if [[ $cur == -* ]]; then
        word=$(_keyturn_options ${command:+"$command"} | cut -d' ' -f1 | sort -u)
        _keyturn_offer "$word" "$cur"
    elif [[ -z $command ]]; then
        _keyturn_offer "$(_keyturn_commands)" "$cur"
    else
        _keyturn_word "$command" "$words" "$cur" "$service"
    fi
}

complete -F _keyturn keyturn
