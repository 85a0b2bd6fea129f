# Completes kubectl-jobclean in PowerShell.

Register-ArgumentCompleter -Native -CommandName 'kubectl-jobclean', 'kubectl-jobclean.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $current = "$wordToComplete"
    $words = @($commandAst.CommandElements |
            Select-Object -Skip 1 |
            Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
            ForEach-Object { $_.Extent.Text.Trim('"', "'") })
    # What stands up to = stays.
    $lead = if ($current -match '^-[^=]*=') { $Matches[0] } else { '' }
    # An empty argument would be dropped on the way.
    $asked = if ($current) { $current } else { '""' }
    & kubectl-jobclean __complete @words $asked 2>$null | ForEach-Object {
        $word, $about = $_ -split "`t", 2
        if ($word -notlike ':*') {
            if (-not $about) { $about = $word }
            # A name from a kubeconfig must not become a command.
            $text = if ($word -match '^[\w./:=@-]+$') { $word } else { "'" + ($word -replace "'", "''") + "'" }
            [System.Management.Automation.CompletionResult]::new("$lead$text", $word, 'ParameterValue', $about)
        }
    }
}
