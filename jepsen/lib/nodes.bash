# Nodes of a run: made, started, killed, paused, asked. Signals only processes that it started.
# Needs hosts.bash, $tenured, $tenurectl, $out, $nodes.

declare -A node_pid=() # of those that are to run
declare -A preload=()  # "NAME=VALUE …": what node N is started with, beside its configuration
declare -A library=()  # what it is preloaded with, of colons between
died=0                 # nodes that ended though nobody ended them

limits=(sessions_max=50000 tasks_max=20000 tombstones_max=50000 clients_max=2000
    requests_max=100000 tenants_max=100 watermarks_max=20000 names_max=100000 blocks_max=200000
    keys_max=100000 tenant_events_max=300 lease_min_us=3000000)

issue_certificate() {
    env ${pki_clock:-} "$tenurectl" pki issue --ca "$out/cluster/ca" --identity "tenure://jepsen/$1" \
        --out "$out/cluster/$2" >/dev/null
}

write_client() {
    local n
    {
        echo "servers:"
        for n in $(seq "$nodes"); do echo "  - \"192.0.2.$n:7400\""; done
        printf 'ca: ca/ca.pem\ncert: %s.pem\nkey: %s.key\n%s' "$1" "$1" "$2"
    } >"$out/cluster/$1.yaml"
}

write_node() {
    local dir=$out/cluster/node-$1
    mkdir -p "$dir"
    issue_certificate "-/peer/$1" "node-$1/node"
    cat >"$dir/tenured.yaml" <<END
node: $1
folder: data/tenure
listen: "192.0.2.$1:7400"
peer_listen: "192.0.2.$1:7401"
ca: ../ca/ca.pem
certificate: node.pem
key: node.key
election_ms: 300
heartbeat_ms: 30
segment_mib: 1
disk_free_mib: 4
snapshot_mib: 1
trailing_entries: 64
END
    disk_make "$1"
}

nodes_make() {
    local n limit
    local -a words=()
    mkdir -p "$out/cluster"
    env ${pki_clock:-} "$tenurectl" pki init --out "$out/cluster/ca" --name jepsen >/dev/null
    for n in $(seq "$nodes"); do words+=(--member "$n=192.0.2.$n:7401,192.0.2.$n:7400"); done
    for limit in "${limits[@]}"; do words+=(--limit "$limit"); done
    "$tenurectl" cluster init --name jepsen "${words[@]}" --out "$out/cluster/bootstrap.yaml" \
        >/dev/null
    for n in $(seq "$nodes"); do
        write_node "$n"
        "$tenured" --config "$out/cluster/node-$n/tenured.yaml" \
            --init "$out/cluster/bootstrap.yaml" >"$out/cluster/node-$n/init.log" 2>&1 ||
            fail "node $n: $(tail -n 1 "$out/cluster/node-$n/init.log")"
    done
    issue_certificate demo/service/client client
    issue_certificate -/operator/operator operator
    for n in 1 2 3 4; do issue_certificate "demo/service/worker-$n" "worker-$n"; done
    write_client client ''
    write_client operator 'tenant: demo'$'\n'
}

log_of() { echo "$out/node-$1.log"; }
node_runs() { [ -n "${node_pid[$1]:-}" ] && kill -0 "${node_pid[$1]}" 2>/dev/null; }

node_start() {
    local -a words=(nsenter "--net=/run/netns/h$1")
    if node_runs "$1"; then return 0; fi
    if [ -e "/run/times/h$1" ]; then words+=("--time=/run/times/h$1"); fi
    words+=(-- env ${library[$1]:+"LD_PRELOAD=${library[$1]}"} ${preload[$1]:-} "$tenured" --config "$out/cluster/node-$1/tenured.yaml")
    printf -- '---- start\n' >>"$(log_of "$1")"
    setsid "${words[@]}" </dev/null >>"$(log_of "$1")" 2>&1 &
    node_pid[$1]=$!
}

# Ends node N and forgets it; the kernel is done with it when this returns.
node_kill() {
    local pid=${node_pid[$1]:-}
    [ -n "$pid" ] || return 0
    node_pid[$1]=
    kill -KILL "$pid" 2>/dev/null || true
    disk_thaw "$1"
    wait "$pid" 2>/dev/null || true
}

node_stop() {
    local pid=${node_pid[$1]:-}
    [ -n "$pid" ] || return 0
    disk_thaw "$1"
    kill -TERM "$pid" 2>/dev/null || true
    kill -CONT "$pid" 2>/dev/null || true
    "$build/jepsen/net/jepsen-await" 20 "$pid" || complain "L1: node $1 does not stop"
    node_kill "$1"
}

node_pause() { if node_runs "$1"; then kill -STOP "${node_pid[$1]}"; fi; }
node_resume() { if node_runs "$1"; then kill -CONT "${node_pid[$1]}"; fi; }

# Node N stands still for good, and its disk is another from now on: prints the id of the new one.
node_new_store() {
    local dir=$out/cluster/node-$1
    rm -rf "$(data_of "$1")/tenure"
    "$tenured" --config "$dir/tenured.yaml" --join "$out/cluster/bootstrap.yaml" \
        >"$dir/init.log" 2>&1 || fail "node $1: $(tail -n 1 "$dir/init.log")"
    sed -n 's/.*--store \([0-9a-f]*\)$/\1/p' "$dir/init.log" | head -n 1
}

# member SECONDS WORD...: the operator changes the list of members; counted when it is answered.
member() {
    local patience=$1
    shift
    operator --timeout "${patience}s" member "$@" >>"$out/operator.log" 2>&1 || return 1
    member_changes=$((member_changes + 1))
    note member "$1" "$*"
}

# Power: stands still, then its disk loses what was not synced, then it is gone.
node_cut_power() {
    node_pause "$1"
    disk_cut "$1"
    node_kill "$1"
    disk_unmount "$1"
    disk_mount "$1"
}

# Those that ended by themselves. A nemesis under which a node may, sets may_die; but no fault excuses
# one that is ended by a signal: an assertion that failed, or memory that is not its own.
nodes_look() {
    local n status
    for n in $(seq "$nodes") "$spare"; do
        if [ -n "${node_pid[$n]:-}" ] && ! node_runs "$n"; then
            status=0
            wait "${node_pid[$n]}" || status=$?
            died=$((died + 1))
            note died node "$n: $(tail -n 1 "$(log_of "$n")")"
            if [ "$may_die" -eq 0 ] || [ "$status" -ge 128 ]; then
                complain "L1: node $n ended by itself, status $status:" \
                    "$(tail -n 1 "$(log_of "$n")")"
            fi
            node_pid[$n]=
        fi
    done
}

service() { on_host "$hosts" "$tenurectl" --config "$out/cluster/client.yaml" "$@"; }
operator() { on_host "$hosts" "$tenurectl" --config "$out/cluster/operator.yaml" "$@"; }

# column NAME: of a printed status.
column() {
    awk -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        { print $at }'
}

wait_leader() { service --timeout "${1}s" status --wait-leader >"$out/status" 2>/dev/null; }

# The node that leads and serves, of the cluster as it is; nothing when there is none.
leader() {
    service --timeout 1s status 2>/dev/null |
        awk 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "id") id = i
            if ($i == "serving") s = i } next } $s == "yes" { print $id; exit }' || true
}

# Every node on the same state at one position (S8).
same_digest() {
    local end=$((SECONDS + 30)) position digests
    while [ $SECONDS -lt $end ]; do
        service --timeout 2s status >"$out/status" 2>/dev/null || continue
        position=$(column position <"$out/status" | sort -n | head -n 1)
        service --timeout 2s status --at "$position" >"$out/digests" 2>/dev/null || continue
        digests=$(column digest <"$out/digests" | sort -u | wc -l)
        if [ "$digests" -gt 1 ]; then complain "S8: $digests digests at position $position"; fi
        return 0
    done
    complain "L1: not all nodes tell their digests: $(<"$out/status")"
}
