# Completes kubectl-jobclean in bash.

_kubectl_jobclean() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() count=0 word i
    # bash breaks words at = and : as well: what has no blank before it belongs to the word before.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 0)) && [[ -n $rest && $rest != [[:blank:]]* ]]; then
            words[count - 1]+=$word
        else
            words[count++]=$word
        fi
        rest=${rest#"${rest%%[![:blank:]]*}"}
        # Of the word at the cursor, only what stands before the cursor.
        ((i < COMP_CWORD)) || words[count - 1]=${words[count - 1]%"$word"}$rest
        rest=${rest#"$word"}
    done
    words=("${words[@]//[\"\'\\]/}")

    # What the shell replaces is the part after the last = or : of the word.
    local current=${words[count - 1]} lead= kept=
    if [[ $current == -*=* ]]; then
        lead=${current%%=*}=
        current=${current#*=}
    fi
    [[ $COMP_WORDBREAKS == *=* ]] && lead=
    [[ $COMP_WORDBREAKS == *:* ]] && kept=${current%"${current##*:}"}

    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        case $word in
            :0) compopt -o default 2>/dev/null ;;
            :16) compopt -o dirnames 2>/dev/null ;;
            :*) ;;
            *)
                word=$lead${word#"$kept"}
                printf -v word %q "$word"
                COMPREPLY+=("$word")
                ;;
        esac
    done < <(kubectl-jobclean __complete "${words[@]:1}" 2>/dev/null)
}

complete -F _kubectl_jobclean kubectl-jobclean
