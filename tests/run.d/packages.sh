# Debian packages that the tests need and the machine lacks.

# The policy file that keeps Debian from starting a service at its installation, and what stood there before.
policy=/usr/sbin/policy-rc.d
policy_changed=

# find_program NAME: its path. Debian keeps PostgreSQL's server programs out of PATH, in a folder for each version.
find_program() {
    PATH=$PATH:/usr/sbin:/sbin:$(newest_postgres) type -P "$1"
}

# The folder of the newest PostgreSQL that Debian has installed.
newest_postgres() {
    printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1
}

# package_of PROGRAM: the packages that bring it. MariaDB's core packages have its server but no service.
package_of() {
    case $1 in
        cc) echo gcc libc6-dev ;;
        chromedriver) echo chromium-driver ;;
        ip) echo iproute2 ;;
        mariadbd) echo mariadb-server-core mariadb-client-core ;;
        node) echo nodejs ;;
        postgres) echo postgresql ;;
        tsc) echo node-typescript ;;
        unshare) echo util-linux ;;
        *) echo "$1" ;;
    esac
}

# install_packages PROGRAM...: installs what is missing, or says what to install.
install_packages() {
    local program missing=() as_root=()
    for program; do
        find_program "$program" >/dev/null || missing+=($(package_of "$program"))
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    if [ "$(id -u)" != 0 ]; then
        as_root=(sudo -n)
        if ! sudo -n true 2>/dev/null; then
            echo "tests/run: these Debian packages are missing, and only root can install them: ${missing[*]}" >&2
            echo "tests/run: apt-get install --no-install-recommends ${missing[*]}" >&2
            return 1
        fi
    fi
    if ! type -P apt-get >/dev/null; then
        echo "tests/run: there is no apt-get here; install what Debian calls: ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}"
    forbid_services
    attend "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update >"$logs/apt.log" 2>&1 &&
        attend "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --no-install-recommends "${missing[@]}" >>"$logs/apt.log" 2>&1
    local status=$?
    allow_services
    if [ $status -ne 0 ]; then
        tail -n 20 "$logs/apt.log" >&2
        echo "tests/run: could not install ${missing[*]}" >&2
    fi
    return $status
}

# From here until allow_services, an installed package may not start its service.
# Debian asks this file; 101 means "not allowed".
forbid_services() {
    policy_changed=yes
    [ ! -e "$policy" ] || "${as_root[@]}" cp -p "$policy" "$work/policy-rc.d"
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
}

# Puts back what forbid_services found.
allow_services() {
    [ -n "$policy_changed" ] || return 0
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    if [ -e "$work/policy-rc.d" ]; then
        "${as_root[@]}" cp -p "$work/policy-rc.d" "$policy"
    else
        "${as_root[@]}" rm -f "$policy"
    fi
    policy_changed=
}
