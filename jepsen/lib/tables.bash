# What there is to play, and in which order: the one place that jepsen/run and jepsen/campaign go by.
# Needs $root and $build. A file of jepsen/workload or jepsen/nemesis is all that a new one takes.

# The build makes this table of the files of jepsen/workload.
workload_names() { "$build/jepsen/load/jepsen-load" --list | awk '{ print $1 }'; }
nemesis_names() { (cd "$root/jepsen/nemesis" && printf '%s\n' *); }
