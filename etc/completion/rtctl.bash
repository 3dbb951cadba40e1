# bash completion for rtctl(1)

_rtctl()
{
    local current previous words cword
    current=${COMP_WORDS[COMP_CWORD]}
    previous=${COMP_WORDS[COMP_CWORD - 1]}
    local subcommand=${COMP_WORDS[1]}
    local common="--config --environment --set --env-file --no-secrets --help"

    compopt +o nospace 2>/dev/null
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "validate plan graph config modules inspect explain new version --help --version" -- "$current")
        return
    fi
    case $previous in
    --config | --env-file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --environment)
        mapfile -t COMPREPLY < <(compgen -W "development test staging production" -- "$current")
        return
        ;;
    --format)
        mapfile -t COMPREPLY < <(compgen -W "text dot mermaid" -- "$current")
        return
        ;;
    --set)
        compopt -o nospace 2>/dev/null
        local paths
        paths=$("${COMP_WORDS[0]}" config 2>/dev/null | sed -n 's/^\([a-z][a-z0-9_.-]*\) = .*/\1=/p')
        mapfile -t COMPREPLY < <(compgen -W "$paths" -- "$current")
        return
        ;;
    esac
    case $subcommand in
    validate) words="--load --strict --json $common" ;;
    config) words="--json $common" ;;
    graph) words="--format $common" ;;
    plan | modules) words=$common ;;
    inspect)
        if [[ $current != -* ]]; then
            compopt -o filenames 2>/dev/null
            words=$("${COMP_WORDS[0]}" modules 2>/dev/null | awk '{print $1}')
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -f -X '!*.so' -- "$current"
                compgen -d -- "$current")
            return
        fi
        words=$common
        ;;
    explain) words=$("${COMP_WORDS[0]}" explain 2>/dev/null | awk '{print $1}') ;;
    new) words=$([ "$COMP_CWORD" -eq 2 ] && echo plugin) ;;
    *) words="" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _rtctl rtctl
