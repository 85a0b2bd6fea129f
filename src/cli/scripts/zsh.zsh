#compdef kubectl-jobclean
# Completes kubectl-jobclean in zsh.

_kubectl_jobclean() {
    local line directive=4
    local -a candidates before
    before=("${(@Q)words[2,CURRENT-1]}")
    for line in ${(f)"$(kubectl-jobclean __complete "$before[@]" "${(Q)PREFIX}" 2>/dev/null)"}; do
        case $line in
            :<->) directive=${line#:} ;;
            # A colon parts a word from its meaning.
            *$'\t'*) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
            *) candidates+=("${line//:/\\:}") ;;
        esac
    done
    # What stands up to = stays.
    [[ $PREFIX == -*=* ]] && compset -P '-*='
    case $directive in
        0) _files ;;
        16) _files -/ ;;
        *) _describe -V kubectl-jobclean candidates ;;
    esac
}

if [[ $funcstack[1] == _kubectl_jobclean ]]; then
    _kubectl_jobclean "$@"
else
    compdef _kubectl_jobclean kubectl-jobclean
fi
