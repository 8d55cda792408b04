# Processes of this run: attended while they run, and none left behind.

# The process group that is being attended, if any.
attended=

# attend COMMAND...: runs a command or function in a process group of its own and waits for it.
# `wait` returns at once when a signal arrives, where a command in the foreground would hold up the trap until it ended.
attend() {
    set -m
    ( "$@" ) </dev/null &
    attended=$!
    set +m
    wait "$attended"
    local status=$?
    # Whatever it has left behind in its group.
    stop_group "$attended"
    attended=
    return $status
}

# stop_group PID: asks a process group to end, and insists after 15 s
# (cargo-nextest passes the signal on to its tests and gives them 10 s).
stop_group() {
    kill -TERM -- "-$1" 2>/dev/null || return 0
    local n
    for ((n = 0; n < 150; n++)); do
        kill -0 -- "-$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null
}

# marked: the processes that carry this run's mark, one "PID NAME" a line.
# The mark is in the environment that a process was started with, so this script and its subshells are not among them.
marked() {
    local entry pid
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        { tr '\0' '\n' <"$entry/environ" | grep -qxF "PACKETBOAT_RUN=$PACKETBOAT_RUN"; } 2>/dev/null || continue
        # The `tr` above inherits the mark as well; it has ended by now.
        [ -d "$entry" ] && echo "$pid $(cat "$entry/comm" 2>/dev/null)"
    done
}

# stop_marked: ends every process that carries this run's mark.
stop_marked() {
    local pid name
    while read -r pid name; do
        kill -KILL "$pid" 2>/dev/null
    done < <(marked)
}

# What runs however this script ends, once.
clean_up() {
    local status=$?
    trap '' HUP INT TERM
    trap - EXIT
    [ -z "$attended" ] || stop_group "$attended"
    stop_servers
    stop_marked
    allow_services
    rm -rf "$work" ${in_memory:+"$in_memory"}
    exit "$status"
}
