# Private database servers, in the folder of one run: free ports of 127.0.0.1, a password made for the run,
# and no syncing to disk, since nothing of it is kept.

# The servers that run: "PID SIGNAL", where SIGNAL ends that server at once.
servers=()

# A folder in memory for PostgreSQL's data, where there is room for one.
in_memory=

# start_servers: starts PostgreSQL, MariaDB and Redis, and exports their URLs. The user in them may create databases.
start_servers() {
    local began=$SECONDS
    server_password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    prepare_folders || return 1
    attend create_clusters || { tail -n 20 "$work"/*/create.log >&2; return 1; }
    start_server PostgreSQL postgres_command postgres_is_ready QUIT || return 1
    export PACKETBOAT_POSTGRES_URL=postgres://packetboat:$server_password@127.0.0.1:$port/postgres
    start_server MariaDB mariadb_command mariadb_is_ready KILL || return 1
    export PACKETBOAT_MYSQL_URL=mysql://packetboat:$server_password@127.0.0.1:$port/mysql
    start_server Redis redis_command redis_is_ready KILL || return 1
    export PACKETBOAT_REDIS_URL=redis://default:$server_password@127.0.0.1:$port/0
    echo "servers started in $((SECONDS - began)) s"
}

# stop_servers: ends them at once; their data go with the folder.
stop_servers() {
    local server
    for server in "${servers[@]+"${servers[@]}"}"; do
        kill -"${server#* }" "${server% *}" 2>/dev/null
    done
    for server in "${servers[@]+"${servers[@]}"}"; do
        wait "${server% *}" 2>/dev/null
    done
    servers=()
}

# as_server SIGNAL COMMAND...: becomes the command, as a user that PostgreSQL and MariaDB accept (they refuse root).
# The kernel sends SIGNAL when this script dies, even by SIGKILL.
as_server() {
    local signal=$1 user=()
    shift
    [ "$(id -u)" != 0 ] || user=(--reuid=nobody --regid="$(id -gn nobody)" --clear-groups)
    # From a folder that this user may enter, without the caller's home.
    cd "$work" && HOME=$work exec setpriv "${user[@]+"${user[@]}"}" --pdeathsig "$signal" "$@"
}

# A folder for each server that only it can enter, with the files that hold the password.
prepare_folders() {
    mkdir "$work/postgres" "$work/mariadb" "$work/redis" && chmod 700 "$work/postgres" "$work/mariadb" "$work/redis" || return 1
    echo "$server_password" >"$work/postgres/password"
    cat >"$work/mariadb/init.sql" <<SQL
CREATE USER packetboat@'127.0.0.1' IDENTIFIED BY '$server_password';
GRANT ALL ON *.* TO packetboat@'127.0.0.1' WITH GRANT OPTION;
SQL
    echo "requirepass $server_password" >"$work/redis/redis.conf"
    postgres_data=$work/postgres/data
    if room_in_memory; then
        in_memory=$(mktemp -d "/dev/shm/${work##*/}-XXXXXX") && chmod 700 "$in_memory" || return 1
        postgres_data=$in_memory/data
    fi
    [ "$(id -u)" != 0 ] || chown -R nobody: "$work/postgres" "$work/mariadb" "$work/redis" ${in_memory:+"$in_memory"}
}

# Whether there are 4 GiB in memory's file system, of which PostgreSQL takes some hundred MiB. Each test that needs it has
# it create a database, which is 300 files: in memory a tenth of what they cost on a disk.
room_in_memory() {
    local free
    free=$(df --output=avail --block-size=1M /dev/shm 2>/dev/null | tail -n 1) && [ "${free:-0}" -ge 4096 ]
}

# The empty data folders of PostgreSQL and MariaDB, side by side.
create_clusters() {
    local initdb install_db
    initdb=$(find_program initdb) && install_db=$(find_program mariadb-install-db) || return 1
    # md5 and not scram: tests connect often, and scram's rounds are slow in a debug build.
    (as_server KILL "$initdb" --pgdata="$postgres_data" --username=packetboat --pwfile="$work/postgres/password" \
        --auth=md5 --encoding=UTF8 --locale=C --no-sync) >"$work/postgres/create.log" 2>&1 &
    local postgres=$!
    (as_server KILL "$install_db" --no-defaults --datadir="$work/mariadb/data" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user=nobody) >"$work/mariadb/create.log" 2>&1 &
    local mariadb=$!
    local status=0
    wait $postgres || status=1
    wait $mariadb || status=1
    return $status
}

# start_server NAME COMMAND READY SIGNAL: tries up to three ports, since a free one may be taken before the server has it.
# Sets `port`.
start_server() {
    local name=$1 command=$2 ready=$3 signal=$4 try n pid
    for try in 1 2 3; do
        port=$(free_port)
        as_server_in_background "$signal" "$command"
        pid=$!
        servers+=("$pid $signal")
        for ((n = 0; n < 600; n++)); do
            kill -0 $pid 2>/dev/null || break
            ! "$ready" || return 0
            sleep 0.05
        done
        echo "$name did not start on port $port (try $try)" >&2
    done
    tail -n 20 "$work/${name,,}/"*.log "$work"/*/server.log >&2
    return 1
}

# The server's parent must be this script itself and no subshell: as_server's signal follows the parent's death.
as_server_in_background() {
    "$2"
    # In a group of its own, so that Ctrl-C in a terminal reaches this script alone.
    set -m
    as_server "$1" "${command_line[@]}" >"$server_log" 2>&1 </dev/null &
    set +m
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

postgres_command() {
    server_log=$work/postgres/server.log
    command_line=("$(find_program postgres)" -D "$postgres_data" -p "$port" -k "$work/postgres"
        -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off
        -c max_wal_size=256MB)
}

postgres_is_ready() {
    "$(find_program pg_isready)" --quiet --host=127.0.0.1 --port="$port"
}

mariadb_command() {
    server_log=$work/mariadb/server.log
    # A collation without case, as Debian's own: what must tell "Ann" from "ann" has to say so itself.
    command_line=("$(find_program mariadbd)" --no-defaults --datadir="$work/mariadb/data" --socket="$work/mariadb/socket"
        --pid-file="$work/mariadb/pid" --bind-address=127.0.0.1 --port="$port" --init-file="$work/mariadb/init.sql"
        --skip-name-resolve --max-connections=300 --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci
        --innodb-flush-log-at-trx-commit=0 --skip-innodb-doublewrite --innodb-flush-method=nosync)
}

mariadb_is_ready() {
    grep -q 'ready for connections' "$work/mariadb/server.log"
}

redis_command() {
    server_log=$work/redis/server.log
    command_line=("$(find_program redis-server)" "$work/redis/redis.conf" --bind 127.0.0.1 --port "$port"
        --dir "$work/redis" --save "" --appendonly no)
}

redis_is_ready() {
    grep -q 'Ready to accept connections' "$work/redis/server.log"
}
