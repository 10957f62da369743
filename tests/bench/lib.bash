# What tests/bench/run and tests/bench/sim share: samples of perf by the folder that the code is of.

# names BUILD FOLDER...: each symbol of the archives of these folders of the build, with the folder.
names() {
    local build=$1 folder file
    shift
    for folder in "$@"; do
        find "$build/$folder" -maxdepth 1 -name '*.a' | while IFS= read -r file; do
            nm --defined-only "$file" 2>/dev/null |
                awk -v folder="$folder" 'NF == 3 { print $3, folder }'
        done
    done
}

# names_of_objects NAME OBJECT...: the same of single objects.
names_of_objects() {
    local name=$1
    shift
    nm --defined-only "$@" 2>/dev/null | awk -v name="$name" 'NF == 3 { print $3, name }'
}

# shares PROGRAM NAMES DATA: percent and place of the samples in DATA, by what `names` wrote into the
# file NAMES; libraries by their own names. Nothing below half a percent.
shares() {
    perf report -q -i "$3" --stdio --sort dso,sym --percent-limit 0 2>/dev/null |
        awk -v program="$1" 'NR == FNR { folder[$1] = $2; next }
            NF < 4 { next }
            {
                where = $3 == "[k]" ? "the kernel" : $2
                name = $4
                sub(/\.(isra|part|constprop).*/, "", name)
                if ($2 == program) where = name in folder ? folder[name] : "inlined or unknown"
                share[where] += $1
            }
            END { for (where in share) printf "%5.1f%%  %s\n", share[where], where }' \
            "$2" - | sort -rn | awk '$1 + 0 >= 0.5'
}
