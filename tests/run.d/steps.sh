# The steps: each with its time, what it counted, and its log.

passed=0
failed=0
number=0

# step NAME FUNCTION: runs one step. FUNCTION reports what it counted by `count`; a step that counts nothing has failed.
step() {
    local name=$1 began=$EPOCHREALTIME log note=
    number=$((number + 1))
    log=$logs/$(printf '%02d-%s.log' $number "$name")
    rm -f "$work/counts" "$work/note"
    attend "$2" >"$log" 2>&1
    local status=$? good=0 bad=0
    [ ! -e "$work/counts" ] || read -r good bad <"$work/counts"
    [ ! -e "$work/note" ] || note=$(cat "$work/note")
    if [ "$note" != absent ]; then
        # A step that failed without saying how often, or that ran nothing, is one failure.
        [ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
        [ "$((good + bad))" -gt 0 ] || bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    printf '%-10s %5d passed %4d failed %8s s  %s\n' "$name" "$good" "$bad" "$(elapsed "$began")" "$note"
    if [ "$bad" -gt 0 ]; then
        echo "---- the end of $log"
        tail -n 60 "$log"
        echo "----"
    fi
}

# count PASSED FAILED: what a step tells of itself.
count() { echo "$1 $2" >"$work/counts"; }

# note TEXT: a word beside a step's line. "absent" says that the tool is not there, which fails nothing.
note() { echo "$1" >"$work/note"; }

# elapsed SINCE: seconds with one decimal, of two values of EPOCHREALTIME.
elapsed() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# summarise: the last line, for people and machines.
summarise() {
    printf 'took %d min %02d s\n' $((SECONDS / 60)) $((SECONDS % 60))
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# each COMMANDS...: runs each line of standard input as a command, and counts them.
each() {
    local line good=0 bad=0
    while read -r line; do
        [ -n "$line" ] || continue
        echo "+ $line"
        if eval "$line" </dev/null; then good=$((good + 1)); else bad=$((bad + 1)); echo "FAILED: $line"; fi
    done
    count $good $bad
    [ $bad -eq 0 ]
}

check_format() {
    each <<'COMMANDS'
cargo fmt --all --check -- --color never
cargo fmt --manifest-path tests/outside/Cargo.toml --check -- --color never
COMMANDS
}

# The whole workspace with every feature but the benchmarks' peers, which are other ORMs, whole, and take minutes to build.
# All steps choose the same: another choice of packages or features gives their dependencies other features, and all that
# stands on those is built anew.
features=packetboat-dispatch/metrics,packetboat-dispatch/proxies,packetboat-dispatch/redis,packetboat-dispatch/schema,packetboat-dispatch/tls,packetboat-dispatch/tower,packetboat-dispatch/web,packetboat-orm/mysql,packetboat-orm/postgres,packetboat-orm/sqlite,packetboat-orm/test
everything="--workspace --no-default-features --features $features"

# What is published also without features; a long run looks at each of them alone, and at the benchmarks with their peers.
check_clippy() {
    local long=
    [ "$mode" != long ] || long=$(
        for feature in orm/sqlite orm/postgres orm/mysql dispatch/metrics dispatch/proxies dispatch/redis dispatch/schema dispatch/tls dispatch/tower dispatch/web; do
            echo "cargo clippy -p packetboat-${feature%/*} --lib --features ${feature#*/} -- -D warnings"
        done
        echo "cargo clippy -p packetboat-bench --all-targets -- -D warnings"
    )
    each <<COMMANDS
cargo clippy $everything --all-targets -- -D warnings
cargo clippy -p packetboat-dispatch -p packetboat-orm --lib -- -D warnings
$long
COMMANDS
}

check_docs() {
    export RUSTDOCFLAGS="-D warnings"
    each <<<"cargo doc $everything --no-deps"
}

check_licences() {
    type -P cargo-deny >/dev/null || { note absent; return 0; }
    each <<<"cargo deny check licenses bans sources"
}

# Every test but the doc tests. The faults step reads this log.
run_tests() {
    local filter=() status summary
    if type -P cargo-nextest >/dev/null; then
        # The quick run leaves out, by name, what needs a server.
        [ "$mode" != quick ] || filter=(-E 'not test(/on_(mysql|postgres|redis)/)')
        cargo nextest run --config-file tests/nextest.toml $everything --no-fail-fast "${filter[@]+"${filter[@]}"}"
        status=$?
        summary=$(grep -E '^ +Summary ' "$log" | tail -n 1)
        count "$(number_before passed "$summary")" \
            $(($(number_before failed "$summary") + $(number_before 'timed out' "$summary")))
        return $status
    fi
    note "by cargo test, since cargo-nextest is absent"
    [ "$mode" != quick ] || filter=(--skip on_mysql --skip on_postgres --skip on_redis)
    # Says which package a test program belongs to, which cargo's own lines do not.
    cargo test $everything --tests --no-run --message-format=json >"$logs/artifacts.json" || return 1
    cargo test $everything --tests --no-fail-fast -- "${filter[@]+"${filter[@]}"}"
    status=$?
    count_results
    return $status
}

run_doctests() {
    cargo test --doc $everything --no-fail-fast
    local status=$?
    count_results
    return $status
}

# number_before WORD TEXT: the number that stands before a word, or 0.
number_before() { grep -oE "[0-9]+ $1" <<<"$2" | grep -oE '^[0-9]+' || echo 0; }

# Adds up the result lines of cargo test.
count_results() {
    count $(awk '/^test result:/ { good += $4; bad += $6 } END { print good + 0, bad + 0 }' "$log")
}

# The README's first command, as it stands there. It is made to take less than 15 seconds once built, and a slow machine
# gets twice that.
run_demo() { cargo build --release -p movie && story 30 cargo run --release -p movie -- demo; }

# The stories of the other systems, built as the tests are: a release of each would be built for minutes.
run_class() { cargo build $everything --bin checkin && story 90 "$target/debug/checkin" demo; }
run_website() { cargo build $everything --bin website && story 60 "$target/debug/website" demo; }

# story SECONDS COMMAND...: a demo, which counts its steps, in less than so many seconds.
story() {
    local most=$1 status line began=$EPOCHREALTIME
    "${@:2}"
    status=$?
    line=$(grep -oE '\b[0-9]+ of [0-9]+\b' "$log" | tail -n 1)
    [ -z "$line" ] || count "${line%% *}" $((${line##* } - ${line%% *}))
    note "once built in $(elapsed "$began") s"
    [ "$(elapsed "$began" | cut -d. -f1)" -lt "$most" ] || return 1
    return $status
}

# The crates' own examples, which fail where something does not hold. Built as the tests are, so that little is built.
run_examples() {
    each <<COMMANDS
cargo build $everything --examples
$target/debug/examples/tour
$target/debug/examples/client
$target/debug/examples/blocking_client
$target/debug/examples/rooms
$target/debug/examples/web
COMMANDS
}

# A project outside the workspace, which depends on the three crates by path.
run_outside() {
    local outside=$work/outside status line
    cp -r tests/outside "$outside" && cp Cargo.lock "$outside/" &&
        sed -i "s|path = \"../../|path = \"$root/|" "$outside/Cargo.toml" || return 1
    # The lockfile, the profile and the target directory are the workspace's: nothing is fetched, and a dependency is built
    # anew only where the project takes other features of it.
    awk '/^\[/ { wanted = /^\[profile\.dev/ } wanted' Cargo.toml >"$work/profile.toml"
    CARGO_TARGET_DIR=$target cargo run --offline --config "$work/profile.toml" --manifest-path "$outside/Cargo.toml"
    status=$?
    line=$(grep -oE '\b[0-9]+ of [0-9]+\b' "$log" | tail -n 1)
    [ -z "$line" ] || count "${line%% *}" $((${line##* } - ${line%% *}))
    return $status
}

# What `cargo publish` would put into each crate: sources, manifest, licences and Markdown, nothing else, and no warning.
check_packages() {
    local crate list good=0 bad=0 wrong file
    for crate in packetboat-framing packetboat-orm-derive packetboat-orm packetboat-dispatch-derive packetboat-dispatch; do
        list=$(cargo package --list --allow-dirty -p $crate 2>"$work/warnings")
        wrong=$(
            grep -iE 'warning|error' "$work/warnings"
            grep -vE '^(Cargo\.(toml|toml\.orig|lock)|[A-Z]+\.md|LICENSE-(APACHE|MIT)|(src|tests|examples|benches)/.*|\.cargo_vcs_info\.json)$' <<<"$list"
            for file in README.md LICENSE-APACHE LICENSE-MIT src/lib.rs; do
                grep -qxF $file <<<"$list" || echo "lacks $file"
            done
        )
        if [ -z "$wrong" ]; then good=$((good + 1)); else bad=$((bad + 1)); fi
        echo "$crate: $(wc -l <<<"$list") files ${wrong:+, wrong: $wrong}"
    done
    count $good $bad
    [ $bad -eq 0 ]
}

# tests/faults.toml against the tests that ran.
check_faults() {
    local status arguments=("$mode" "$logs"/*-tests.log)
    # There are artifacts where cargo test ran, and not cargo-nextest.
    [ ! -e "$logs/artifacts.json" ] || arguments+=("$logs/artifacts.json")
    cargo run --quiet -p packetboat-tests --bin faults -- "${arguments[@]}"
    status=$?
    count $(awk '/^faults:/ { print $2 + 0, $4 + 0 }' "$log")
    return $status
}

# Every test has ended, so nothing but the servers may still run.
check_leftovers() {
    local left
    # In two steps: a `grep` behind `marked` would be found itself.
    left=$(marked)
    left=$(grep -vE ' (postgres|mariadbd|redis-server)$' <<<"$left" | grep .)
    echo "${left:-none}"
    if [ -z "$left" ]; then count 1 0; else count 0 "$(wc -l <<<"$left")"; fi
}
