# Completes kubectl-jobclean in fish.

function __kubectl_jobclean_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -e words[1]
    set -l current (commandline --current-token --cut-at-cursor)
    # What stands up to = stays.
    set -l lead (string match --regex -- '^-[^=]*=' $current)
    set -l typed (string replace --regex -- '^-[^=]*=' '' $current)
    for line in (kubectl-jobclean __complete $words "$current" 2>/dev/null)
        switch $line
            case ':0'
                __fish_complete_path "$typed" | string replace --regex -- '^' "$lead"
            case ':16'
                __fish_complete_directories "$typed" '' | string replace --regex -- '^' "$lead"
            case ':*'
            case '*'
                printf '%s\n' "$lead$line"
        end
    end
end

complete --command kubectl-jobclean --no-files --arguments '(__kubectl_jobclean_complete)'
