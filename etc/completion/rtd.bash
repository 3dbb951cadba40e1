# bash completion for rtd(8)

_rtd()
{
    local current=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --config)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        ;;
    --environment)
        mapfile -t COMPREPLY < <(compgen -W "development test staging production" -- "$current")
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W \
            "--config --environment --set --foreground --preflight --help --version" -- "$current")
        ;;
    esac
}

complete -F _rtd rtd
