# Hosts of a run: network namespaces of addresses 192.0.2.N, the switch between them, a disk for
# each node. Everything lives in the namespaces of the run's first process and ends with it.
# Needs $nodes, $out, $build; $hosts is $nodes and one more for the clients, $spare one more still.

switch_fd=
declare -A rules=() # "1>2" -> "cut,delay=…"

hosts_up() {
    local host mac said
    mount -t tmpfs none /run
    mount -t tmpfs none /dev/shm # libfaketime's, which goes by process ids: those of other runs too
    mkdir /run/netns /run/times
    for host in $(seq "$spare"); do ip netns add "h$host"; done
    mkfifo "$out/to-switch"
    exec {switch_fd}<>"$out/to-switch"
    mkfifo "$out/from-switch"
    "$build/jepsen/net/jepsen-switch" /run/netns "$spare" <"$out/to-switch" >"$out/from-switch" \
        2>"$out/switch.log" &
    switch_pid=$!
    # A line when all devices are there; the end of file when it is gone.
    read -r said <"$out/from-switch" && [ "$said" = ready ] ||
        fail "no network: $(<"$out/switch.log")"
    for host in $(seq "$spare"); do
        printf -v mac '02:00:00:00:00:%02x' "$host"
        ip -n "h$host" link set lo up
        ip -n "h$host" link set eth0 address "$mac"
        ip -n "h$host" addr add "192.0.2.$host/24" dev eth0
        ip -n "h$host" link set eth0 up
    done
}

on_host() {
    local host=$1
    shift
    nsenter --net="/run/netns/h$host" -- "$@"
}

# All rules to the switch, at once.
net_apply() {
    local pair line=
    for pair in "${!rules[@]}"; do line+="$pair:${rules[$pair]} "; done
    kill -0 "$switch_pid" 2>/dev/null || fail "the switch is gone: $(<"$out/switch.log")"
    printf '%s\n' "$line" >&"$switch_fd"
}

# net_rule FROM TO RULE: for that direction, beside what holds there already.
net_rule() { rules["$1>$2"]=${rules["$1>$2"]:+${rules["$1>$2"]},}$3; }

net_cut() { net_rule "$1" "$2" cut; }
net_cut_both() { net_cut "$1" "$2" && net_cut "$2" "$1"; }

net_heal() {
    rules=()
    net_apply
}

# ---- disks: ext4 on a file, so that power can be cut ----

data_of() { echo "$out/cluster/node-$1/data"; }
image_of() { echo "$out/cluster/node-$1/disk.img"; }

disk_make() {
    mkdir -p "$(data_of "$1")"
    truncate -s "${disk_mib}M" "$(image_of "$1")"
    mkfs.ext4 -q -m 0 -E lazy_itable_init=0,nodiscard "$(image_of "$1")"
    disk_mount "$1"
}
disk_mount() { mount -o loop "$(image_of "$1")" "$(data_of "$1")"; }
# A disk that stands still lets nobody go who writes to it, not even by SIGKILL.
disk_thaw() { fsfreeze -u "$(data_of "$1")" 2>/dev/null || true; }
disk_unmount() {
    disk_thaw "$1"
    umount "$(data_of "$1")" || fail "the disk of node $1 does not come off"
}

# The disk of node N loses power: what no sync has reached is gone. Its process has to be dead or to
# stand still.
disk_cut() {
    disk_thaw "$1"
    "$build/jepsen/net/jepsen-power" "$(data_of "$1")" || fail "disk $1 keeps its power"
}
