# SPDX-License-Identifier: Apache-2.0
# bash completion for keyturn(1)

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

_keyturn()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word
    local commands='get set list versions stage delete restore repair explain check modules conform help'
    local global='--service --json --quiet --verbose --timeout --module-dir --help'
    local command='' service='' i words=0
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            -s | --service) service=${COMP_WORDS[++i]} ;;
            --timeout | --module-dir | --stage | --field | --max-age | --attr | --expires | \
                --not-before | --expect | --id) ((i++)) ;;
            --version) [[ $command == get || $command == explain || $command == delete ]] && ((i++)) ;;
            -*) ;;
            *) if [[ -z $command ]]; then command=$word; else ((words++)); fi ;;
        esac
    done

    case $prev in
        -s | --service)
            mapfile -t COMPREPLY < <(compgen -W "$(_keyturn_services)" -- "$cur")
            return ;;
        --stage)
            word='current pending'
            [[ $command != set ]] && word+=' previous'
            mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
            return ;;
        --module-dir)
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return ;;
        --timeout | --field | --max-age | --attr | --expires | --not-before | --expect | --id)
            return ;;
    esac

    if [[ $cur == -* ]]; then
        case $command in
            '') word=--version ;;
            get) word='--version --stage --field --fresh --max-age' ;;
            set) word='--attr --expires --not-before --expect --id --stage --trim' ;;
            stage) word=--expect ;;
            delete) word='--version --purge --expect --force' ;;
            explain) word='--version --stage --fresh --max-age' ;;
            check) word=--strict ;;
            *) word= ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$word $global" -- "$cur")
        return
    fi

    case $command in
        '') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
        help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
        get | list | versions | delete | restore | repair | explain)
            ((words == 0)) && mapfile -t COMPREPLY < <(compgen -W "$(_keyturn_names "$service")" -- "$cur") ;;
        set)
            if ((words == 0)); then
                mapfile -t COMPREPLY < <(compgen -W "$(_keyturn_names "$service")" -- "$cur")
            else
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi ;;
        stage)
            case $words in
                0) mapfile -t COMPREPLY < <(compgen -W "$(_keyturn_names "$service")" -- "$cur") ;;
                1) mapfile -t COMPREPLY < <(compgen -W 'previous pending none' -- "$cur") ;;
                2) mapfile -t COMPREPLY < <(compgen -W 'current pending' -- "$cur") ;;
            esac ;;
        check)
            mapfile -t COMPREPLY < <(compgen -W "$(_keyturn_services)" -- "$cur"; compgen -f -- "$cur") ;;
        modules | conform)
            mapfile -t COMPREPLY < <(compgen -W "$(_keyturn_modules)" -- "$cur") ;;
    esac
}

complete -F _keyturn keyturn
