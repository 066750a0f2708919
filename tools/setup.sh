# What quickstart, runtests and .ci/run share, sourced by bash: packages and the build. Expects $root, the checkout.

# A package's name is told by what it brings, where several packages may bring it.
setup_has() {
	case $1 in
	nodejs) command -v node >/dev/null ;;
	npm | python3 | make | gcc | clang) command -v "$1" >/dev/null ;;
	postgresql-15)
		local bin
		for bin in /usr/lib/postgresql/*/bin/initdb; do
			[ -x "$bin" ] && [ "$(basename "$(dirname "$(dirname "$bin")")")" -ge 15 ] && return 0
		done
		return 1
		;;
	*) dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed ;;
	esac
}

setup_build_packages=(gcc libc6-dev make pkg-config autoconf automake libevent-dev libpq-dev libconfig-dev libsystemd-dev
	libcurl4-openssl-dev libssl-dev libjansson-dev uthash-dev libsmartcols-dev libical-dev tzdata)
setup_test_packages=(libcriterion-dev postgresql-15 python3 nodejs npm)

# setup_packages PACKAGE...: installs what is missing, as root; says what is missing otherwise.
setup_packages() {
	local package missing=()
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "packages: no apt-get here; README.md names what is needed" >&2
		return 0
	fi
	for package in "$@"; do
		setup_has "$package" || missing+=("$package")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		echo "packages: all there"
		return 0
	fi
	if [ "$(id -u)" -ne 0 ]; then
		echo "packages: missing; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
		return 1
	fi
	echo "packages: installing ${missing[*]}"
	setup_log=$(mktemp) || return 1
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
		>"$setup_log" 2>&1 </dev/null; then
		tail -n 40 "$setup_log" >&2
		rm -f "$setup_log"
		return 1
	fi
	rm -f "$setup_log"
}

# setup_configure FOLDER [ARGUMENT...]: makes ./configure and configures in FOLDER, unless that has been done.
setup_configure() {
	local folder=$root/$1
	shift
	if [ -f "$root/config.status" ]; then
		echo "the checkout itself is configured, which keeps other folders from it: run make distclean there" >&2
		return 1
	fi
	if [ ! -x "$root/configure" ] || [ ! -f "$root/Makefile.in" ]; then
		(cd "$root" && autoreconf -fi) || return 1
	fi
	if [ ! -f "$folder/Makefile" ]; then
		mkdir -p "$folder" && (cd "$folder" && "$root/configure" --quiet "$@")
	fi
}
