#!/bin/sh
# The rules of the simulated forge, run by git in the bare repository as `pre-receive` and as `post-receive`.
# Who pushes is told by the push option `token=...`, which stands for the credentials of HTTPS. Shell, because every
# push pays for its start. In harness/: name; protected (pattern, then who may push); tokens/TOKEN (identity, whether its
# pushes start workflows, levels of `contents` and `workflows`); pushes/ (what was taken).
set -fu
zero=0000000000000000000000000000000000000000
workflows_folder=.github/workflows/

refuse() {
    echo "error: $1" >&2
    exit 1
}

protection() { # old new ref
    while read -r pattern allowed; do
        # shellcheck disable=SC2254  # a pattern
        case $3 in
        refs/heads/$pattern) ;;
        *) continue ;;
        esac
        failed="GH006: Protected branch update failed for $3."
        case " $allowed " in
        *" $identity "*) ;;
        *) refuse "$failed Changes must be made through a pull request." ;;
        esac
        if [ "$2" = $zero ] || { [ "$1" != $zero ] && ! git merge-base --is-ancestor "$1" "$2"; }; then
            refuse "$failed Cannot force-push to or delete this branch."
        fi
    done <harness/protected
}

known() { # commit path: some branch has the same file with the same content already, which GitHub lets through
    wanted=$(git rev-parse --verify --quiet "$1:$2")
    for ref in $(git for-each-ref --format='%(refname)'); do
        if [ "$(git rev-parse --verify --quiet "$ref:$2")" = "$wanted" ]; then return 0; fi
    done
    return 1
}

workflow_rights() { # new
    for path in $(git log -m --format= --name-only "$1" --not --all -- $workflows_folder | sort -u); do
        known "$1" "$path" ||
            refuse "refusing to allow a GitHub App to create or update workflow \`$path\` without \`workflows\` permission"
    done
}

token='' index=0
while [ "$index" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
    eval "option=\$GIT_PUSH_OPTION_$index"
    case $option in token=*) token=${option#token=} ;; esac
    index=$((index + 1))
done
case $token in
'' | *[!A-Za-z0-9_]*) refuse 'Authentication failed: the push carries no token' ;;
esac
[ -f "harness/tokens/$token" ] || refuse 'Authentication failed: the token is unknown or was revoked'
{ read -r identity && read -r starts && read -r contents && read -r workflows; } <"harness/tokens/$token"

case $0 in
*post-receive)
    name=$(date +%s%N)-$$
    { echo "$identity" && echo "$starts" && cat; } >"harness/pushes/.$name"
    mv "harness/pushes/.$name" "harness/pushes/$name"
    exit
    ;;
esac

read -r repository <harness/name
[ "$contents" = write ] || refuse "Permission to $repository.git denied to $identity."
while read -r old new ref; do
    case $ref in refs/pull/*) refuse "$ref is read-only" ;; esac
    protection "$old" "$new" "$ref"
    if [ "$workflows" != write ] && [ "$new" != $zero ]; then workflow_rights "$new"; fi
done
