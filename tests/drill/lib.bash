# What tests/drill/run is made of: the copy of the tree, one bug, the verdict. Uses its variables
# build, commit, cpu_seconds, jobs, mode, names, folder.
#
# The copy is kept, so that only what a bug touches is compiled again. Its files are compared by
# content and get a new time whenever they change: a time that goes back would leave an object of
# the bug before in place.

parts=(CMakeLists.txt setup base op fsm env raftlog node client-lib jepsen
    tests/CMakeLists.txt tests/sim)
properties='S[1-9]|S1[0-4]|L1|V1'
running=()  # process ids of simulators
results=()  # of this run: "NAME VERDICT PROPERTY SEED CPU SIMULATED DIED"

say() { printf 'drill: %s\n' "$*"; }
die() { printf 'drill: %s\n' "$*" >&2; exit 2; }

# ---- a bug's file ----

# field KEY PATCH: a line of the header; the header ends where the difference begins.
field() { sed -n -e '/^--- /q' -e "s/^$1: *//p" "$2"; }

# files_of PATCH: the files that it changes.
files_of() { sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "$1"; }

# check_header PATCH: prints what is wrong.
check_header() {
    local patch=$1 key property status=0
    for key in Bug Breaks Caught-by; do
        [ "$(field $key "$patch" | wc -l)" -eq 1 ] || { echo "$patch: not one \"$key:\""; status=1; }
    done
    for property in $(field Caught-by "$patch"); do
        [[ $property =~ ^($properties)$ ]] || { echo "$patch: $property is no property"; status=1; }
    done
    [ -n "$(field Caught-by "$patch")" ] || { echo "$patch: by which property?"; status=1; }
    [ -n "$(files_of "$patch")" ] || { echo "$patch: changes nothing"; status=1; }
    if files_of "$patch" | grep >/dev/null -vE '^(base|op|fsm|env/uv|raftlog|node|client-lib)/'; then
        echo "$patch: changes more than the product"
        status=1
    fi
    return $status
}

# check_patches FOLDER: all headers are whole, all apply to the tree as it is.
check_patches() {
    local patch count=0 status=0 said
    for patch in "$1"/*.patch; do
        count=$((count + 1))
        check_header "$patch" || status=1
        if ! said=$(patch -p1 --dry-run --forward --batch --fuzz=1 <"$patch" 2>&1); then
            printf '%s: does not apply to the tree\n%s\n' "$patch" "$said"
            status=1
        fi
    done
    say "$count bugs looked at"
    return $status
}

# residue_of COMMIT: 0, 1 or 2.
residue_of() {
    local commit=$1 head=.git/HEAD
    if [ "$commit" = HEAD ]; then
        commit=$(git rev-parse HEAD 2>/dev/null) || commit=
        # Without git at hand: what it would have read.
        if [ -z "$commit" ] && [ -f $head ]; then
            commit=$(cat ".git/$(sed -n 's/^ref: //p' $head)" 2>/dev/null || cat $head)
        fi
    fi
    [[ $commit =~ ^[0-9a-f]{7} ]] || commit=0000000
    echo $((16#${commit:0:7} % 3))
}

# ---- the copy of the tree ----

list_parts() { find "${parts[@]}" -type f -print | LC_ALL=C sort; }

# source_of_copy: the folder that is drilled: the tree itself, or a commit of it.
source_of_copy() {
    [ -n "$commit" ] || { echo . && return; }
    rm -rf "$build/commit" && mkdir -p "$build/commit"
    git archive "$commit" -- "${parts[@]}" | tar -C "$build/commit" -xf -
    echo "$build/commit"
}

# Brings the copy to what the source is now, and only touches what differs.
sync_copy() {
    local from path
    from=$(source_of_copy)
    mkdir -p "$build/tree"
    (cd "$from" && list_parts) >"$build/files"
    while IFS= read -r path; do
        cmp -s "$from/$path" "$build/tree/$path" && continue
        mkdir -p "$build/tree/$(dirname "$path")"
        cp "$from/$path" "$build/tree/$path"
    done <"$build/files"
    (cd "$build/tree" && find . -type f -print | sed 's,^\./,,' | LC_ALL=C sort) |
        LC_ALL=C comm -13 "$build/files" - |
        while IFS= read -r path; do rm "$build/tree/$path"; done
}

# make_sim LOG
make_sim() { nice -n 5 ninja -C "$build/out" sim >"$1" 2>&1; }

prepare() {
    local root=$PWD
    say "copying ${commit:-the tree} to $build"
    sync_copy
    mkdir -p "$build/log" "$build/bin" "$build/saved"
    key=$(cd "$build/tree" && list_parts | xargs sha256sum | sha256sum | cut -c1-12)
    cmake -S "$build/tree" -B "$build/out" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DTENURE_RAFT_SOURCE="$root/build/deps/raft" >"$build/log/configure" 2>&1 ||
        die "cmake failed; see $build/log/configure"
    make_sim "$build/log/build" || die "the tree does not build; see $build/log/build"
    cp "$build/out/tests/sim/sim" "$build/bin/control"
    : >"$build/control"
    say "built; each bug has $cpu_seconds s of one core"
}

# ---- one bug ----

# verdict_of LOG STATUS EXPECTED: "VERDICT PROPERTY SEED CPU SIMULATED" of what a simulator said.
# CAUGHT: by a property that the header names. OTHER: by another, or by a failure without one.
# CRASHED: the process died, of an assertion for example. MISSED: no seed failed in its time.
verdict_of() {
    local log=$1 status=$2 expected=$3 line property seed cpu simulated verdict
    line=$(grep -m 1 '^FAILED seed ' "$log" || true)
    seed=$(sed -n 's/^FAILED seed \([0-9]*\):.*/\1/p' <<<"$line")
    property=$(sed -nE "s/^FAILED seed [0-9]+: (the checker: )?($properties):.*/\2/p" <<<"$line")
    cpu=$(sed -n 's/.* (\([0-9.]*\) s of one core).*/\1/p' "$log" | head -n 1)
    simulated=$(sed -n 's/.* seeds, \([0-9]*\) simulated s.*/\1/p' "$log" | head -n 1)
    if [[ $line =~ ^FAILED\ seed\ [0-9]+:\ L1:\ a\ process\ (died|ended) ]]; then
        verdict=CRASHED property=
    elif [ -n "$property" ] && [[ " $expected " = *" $property "* ]]; then
        verdict=CAUGHT
    elif [ -n "$line" ]; then
        verdict=OTHER
    elif [ "$status" -eq 152 ] || [ "$status" -eq 137 ] || [ "$status" -eq 0 ]; then
        verdict=MISSED
    else
        verdict=CRASHED
    fi
    echo "$verdict ${property:--} ${seed:--} ${cpu:--} ${simulated:--}"
}

# sober LOG SEED OPTION...: does the tree without any bug pass that seed? If not, the drill fails.
sober() {
    local log=$1.control seed=$2
    shift 2
    if nice -n 5 "$build/bin/control" --seed "$seed" --no-shrink "$@" >"$log" 2>&1 9>&-; then
        rm "$log"
        return 0
    fi
    echo "drill: seed $seed ${*:+with $* }fails without any bug; see $log" >>"$build/control"
    return 1
}

# play PROGRAM LOG EXPECTED OPTION...: plays seed after seed within the time, until one names a
# property. One that only dies, and one that fails without the bug too, shows nothing and is passed
# over. The last line of the log is the verdict, the sums of all that was played, and how many died.
play() {
    local program=$1 log=$2 expected=$3 from=1 died=0 spent=0 simulated=0 status what seed cpu some
    shift 3
    : >"$log"
    while true; do
        status=0
        (ulimit -t $((cpu_seconds - ${spent%.*})) &&
            exec nice -n 5 "$program" --seeds "$from..1000000" --no-shrink "$@") \
            >"$log.part" 2>&1 9>&- || status=$?
        cat "$log.part" >>"$log"
        read -r what property seed cpu some < <(verdict_of "$log.part" $status "$expected")
        spent=$(awk -v a="$spent" -v b="$cpu" 'BEGIN { print a + b }')
        simulated=$(awk -v a="$simulated" -v b="$some" 'BEGIN { print a + b }')
        case $what in
            CAUGHT | OTHER) if sober "$log" "$seed" "$@"; then break; fi ;;
            CRASHED) [ "$seed" != - ] || break; died=$((died + 1)) ;;
            *) break ;;
        esac
        from=$((seed + 1))
        [ "${spent%.*}" -lt $cpu_seconds ] || break
    done
    rm "$log.part"
    echo "verdict $what $property $seed $spent $simulated $died" >>"$log"
}

# restore NAME PATCH: takes the bug out of the copy again.
restore() { tar -C "$build/tree" -xmf "$build/saved/$1.tar" && rm "$build/saved/$1.tar"; }

# note NAME RESULT
note() {
    local name=$1 result=$2
    results+=("$name $result")
    printf '%s %s %s\n' "$key-$(cksum <"$folder/$name.patch" | cut -d' ' -f1)" "$name" "$result" \
        >>"$build/ledger"
    printf 'drill: %-28s %s\n' "$name" "$result"
}

# known NAME: was it caught already, in this very tree?
known() {
    local line
    [ $mode = all ] && [ -f "$build/ledger" ] || return 1
    line=$(awk -v key="$key-$(cksum <"$folder/$1.patch" | cut -d' ' -f1)" \
        '$1 == key && $3 == "CAUGHT" { print; exit }' "$build/ledger")
    [ -n "$line" ] || return 1
    results+=("${line#* }")
}

# Waits until fewer than N simulators run, and notes what those say that have ended.
wait_below() {
    local most=$1 pid name left
    while [ ${#running[@]} -ge "$most" ] && [ ${#running[@]} -gt 0 ]; do
        wait -n 2>/dev/null || true
        left=()
        for pid in "${running[@]}"; do
            if kill -0 "$pid" 2>/dev/null; then
                left+=("$pid")
                continue
            fi
            name=${name_of[$pid]}
            note "$name" "$(sed -n 's/^verdict //p' "$build/log/$name")"
            rm -f "$build/bin/$name"
        done
        running=("${left[@]}")
    done
}

declare -A name_of

# drill NAME: plants, builds, takes it out again; the simulator plays meanwhile.
drill() {
    local name=$1 patch=$folder/$1.patch built=0
    local -a touched options
    [ -f "$patch" ] || die "there is no $patch"
    check_header "$patch" || die "the header of $name is not whole"
    known "$name" && return 0
    mapfile -t touched < <(files_of "$patch")
    tar -C "$build/tree" -cf "$build/saved/$name.tar" "${touched[@]}"
    if ! patch -d "$build/tree" -p1 --forward --batch --fuzz=1 --no-backup-if-mismatch \
        <"$patch" >"$build/log/$name.build" 2>&1; then
        restore "$name"
        note "$name" "DOES-NOT-APPLY - - - - 0"
        return
    fi
    make_sim "$build/log/$name.build" && cp "$build/out/tests/sim/sim" "$build/bin/$name" && built=1
    restore "$name"
    if [ $built -eq 0 ]; then
        note "$name" "NOT-BUILT - - - - 0"
        return
    fi
    wait_below "$jobs"
    read -ra options < <(field Options "$patch" && echo) || true
    play "$build/bin/$name" "$build/log/$name" "$(field Caught-by "$patch")" "${options[@]}" &
    name_of[$!]=$name
    running+=("$!")
}

wait_all() { wait_below 1; }

# stop_all: at the end in any case. The copy is brought in order by the next run.
stop_all() {
    local pid child
    for pid in "${running[@]}"; do
        for child in $(ps -o pid= --ppid "$pid"); do kill "$child" 2>/dev/null || true; done
        kill "$pid" 2>/dev/null || true
    done
}

# ---- the end ----

verdict() {
    local line name what caught=0
    for line in "${results[@]}"; do
        read -r name what _ <<<"$line"
        if [ "$what" = CAUGHT ]; then
            caught=$((caught + 1))
        else
            say "$name: $what; see $build/log/$name"
        fi
    done
    say "$caught of ${#results[@]} planted bugs caught"
    cat "$build/control"
    [ "$caught" -eq ${#names[@]} ] && [ ! -s "$build/control" ]
}
