# bash completion for rtctl(1)

# Completes the current word with those words given that it begins.
_rtctl_words()
{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

_rtctl_files()
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}

# What rtctl lists, as it would be called here; nothing if it fails.
_rtctl_names()
{
    "${COMP_WORDS[0]}" "$@" 2>/dev/null | awk '{ print $1 }'
}

_rtctl_plugins()
{
    local current=${COMP_WORDS[COMP_CWORD]}
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$(_rtctl_names modules)" -- "$current"
        compgen -f -X '!*.so' -- "$current"
        compgen -d -- "$current")
}

# The value of the option before the current word; false if that takes none.
_rtctl_value()
{
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --config | --env-file | --socket) _rtctl_files ;;
    --environment) _rtctl_words "development test staging production" ;;
    --format) _rtctl_words "text dot mermaid" ;;
    --set)
        compopt -o nospace 2>/dev/null
        _rtctl_words "$(_rtctl_names config | sed 's/$/=/')"
        ;;
    *) return 1 ;;
    esac
}

_rtctl()
{
    local subcommands="validate plan graph config modules inspect crashes status health stop reload upgrade log-level log-reopen quarantine fibers metrics top call migrate explain new embed version help"
    local common="--config --environment --set --foreground --env-file --no-secrets --help"
    if [ "$COMP_CWORD" -eq 1 ]; then
        _rtctl_words "$subcommands --help --version"
        return
    fi
    _rtctl_value && return
    case ${COMP_WORDS[1]} in
    validate) _rtctl_words "--load --connect --strict --json $common" ;;
    plan | config) _rtctl_words "--json $common" ;;
    graph) _rtctl_words "--format $common" ;;
    modules) _rtctl_words "$common" ;;
    inspect)
        if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
            _rtctl_words "$common"
        else
            _rtctl_plugins
        fi
        ;;
    status | health) _rtctl_words "--json --socket $common" ;;
    stop | reload) _rtctl_words "--wait --socket $common" ;;
    upgrade | log-reopen) _rtctl_words "--socket $common" ;;
    log-level)
        case $COMP_CWORD in
        2) _rtctl_words "trace debug info warn error fatal --socket $common" ;;
        3) _rtctl_words "rtd $(_rtctl_names modules) --socket $common" ;;
        *) _rtctl_words "--socket $common" ;;
        esac
        ;;
    quarantine)
        case $COMP_CWORD in
        2) _rtctl_words "list clear --socket $common" ;;
        *) _rtctl_words "--socket $common" ;;
        esac
        ;;
    fibers | metrics) _rtctl_words "--socket $common" ;;
    top) _rtctl_words "--interval --once --socket $common" ;;
    call) _rtctl_words "--list --describe --instance --timeout --worker --socket $common" ;;
    migrate)
        case $COMP_CWORD in
        2) _rtctl_words "status plan up verify --slice --to --json $common" ;;
        *) _rtctl_words "--slice --to --json $common" ;;
        esac
        ;;
    embed)
        case ${COMP_WORDS[COMP_CWORD]} in
        -*) _rtctl_words "-o --depfile" ;;
        *) _rtctl_files ;;
        esac
        ;;
    crashes) _rtctl_words "$(_rtctl_names crashes) $common" ;;
    explain) _rtctl_words "$(_rtctl_names explain) --help" ;;
    new) _rtctl_words "$([ "$COMP_CWORD" -eq 2 ] && echo plugin) --help" ;;
    version) _rtctl_words "--help" ;;
    help) _rtctl_words "$subcommands" ;;
    esac
}

complete -F _rtctl rtctl
