# What the tests of this folder share: a cluster of their own, expectations, a clean end. Source it
# with the build's folder as the first argument.
set -euo pipefail
build=$(cd "${1:?which build folder?}" && pwd)
local_cluster=$PWD/cluster/local
tenured=$build/node/tenured
tenurectl=$build/client-lib/cli/tenurectl
unset "${!TENURE_@}"
scratch=$(mktemp -d)
folder=$scratch/cluster
failed=0

complain() { printf '%s\n' "$*" && failed=1; }

cluster() {
    local command=$1
    shift
    "$local_cluster" "$command" "$@" --folder "$folder" --build "$build"
}

finish() {
    local status=$? node
    if [ "$status" -ne 0 ] || [ $failed -ne 0 ]; then
        for node in "$folder"/node-*; do
            if [ -f "$node/tenured.log" ]; then
                echo "---- ${node##*/}" && tail -n 30 "$node/tenured.log"
            fi
        done
    fi
    if [ -f "$folder/cluster" ]; then cluster down || failed=1; fi
    rm -rf "$scratch"
    exit $((status != 0 || failed != 0))
}
trap finish EXIT

service() { "$tenurectl" --config "$folder/client.yaml" "$@"; }
operator() { "$tenurectl" --config "$folder/operator.yaml" "$@"; }

# expect STATUS PATTERN COMMAND...: the status, and one line of standard error that matches; an
# empty PATTERN: nothing on standard error. Standard output is left in $scratch/out.
expect() {
    local status=$1 pattern=$2 got=0
    shift 2
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || got=$?
    [ "$got" -eq "$status" ] || complain "$*: status $got, not $status: $(<"$scratch/err")"
    if [ -z "$pattern" ]; then
        [ ! -s "$scratch/err" ] || complain "$*: $(<"$scratch/err")"
    else
        [ "$(wc -l <"$scratch/err")" -eq 1 ] || complain "$*: not one line: $(<"$scratch/err")"
        grep -qE -- "$pattern" "$scratch/err" ||
            complain "$*: \"$(<"$scratch/err")\" does not match $pattern"
    fi
}

# value NAME: of the last printed table.
value() { awk -v name="$1" '$1 == name { print $2; exit }' "$scratch/out"; }

# column NAME: of the last printed status, one line a server.
column() {
    awk -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        { print $at }' "$scratch/out"
}

create() {
    expect 0 '' service session create --user alice --agent helper --idle 30m --absolute 1h "$@"
}

wait_leader() { expect 0 "${1:-}" service --timeout 30s status --wait-leader; }
# The id of the node that leads and serves, of the last printed status.
leader() {
    awk 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "id") id = i; if ($i == "serving") s = i }
        next } $s == "yes" { print $id; exit }' "$scratch/out"
}

# same_digest POSITION: polls, within a bound, until all nodes say one digest there.
same_digest() {
    local end=$((SECONDS + 30)) count
    while :; do
        if service --timeout 1s status --at "$1" >"$scratch/out" 2>/dev/null; then
            count=$(column digest | sort -u | wc -l)
            [ "$count" -eq 1 ] || complain "$count digests at position $1: $(<"$scratch/out")"
            return 0
        fi
        if [ $SECONDS -ge $end ]; then
            complain "no digest of all at $1: $(<"$scratch/out")"
            return 0
        fi
    done
}

# fetch ADDRESS PATH: prints the body that the port of metrics answers with; its status line is left
# in $scratch/http.
fetch() {
    local line
    exec {http}<>"/dev/tcp/${1%:*}/${1##*:}"
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$1" >&"$http"
    IFS= read -r line <&"$http"
    printf '%s\n' "${line%$'\r'}" >"$scratch/http"
    sed '1,/^\r$/d' <&"$http"
    exec {http}<&-
}

# logged N PATTERN: waits, within a bound, until node N's log says so.
logged() {
    timeout 30 grep -qEm 1 -- "$2" <(exec timeout 30 tail -n +1 -f "$folder/node-$1/tenured.log") ||
        complain "node $1 does not say: $2"
}
