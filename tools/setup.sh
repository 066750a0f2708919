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
	libcurl4-openssl-dev libssl-dev libjansson-dev uthash-dev libsmartcols-dev libical-dev libncurses-dev tzdata)
setup_test_packages=(libcriterion-dev postgresql-15 python3 python3-jsonschema python3-yaml prometheus-alertmanager openssl nodejs
	npm pgbouncer prometheus python3-prometheus-client python3-pyte zsh mandoc chromium fonts-dejavu-core
	request-tracker5 rt5-db-postgresql rt5-standalone dbconfig-no-thanks msmtp-mta
	redmine redmine-pgsql)
# Peers of bench/run.
setup_bench_packages=(libuv1-dev libev-dev libbusiness-hours-perl postgresql-15 nodejs npm wrk hey)
setup_deb_packages=(debhelper dpkg-dev git)
setup_box_packages=(lintian mmdebstrap systemd-container)

# setup_install PACKAGE...: by apt-get. Redmine's package calls `bundle`, which has to be that of ruby-bundler: Ruby's own,
# which is newer since 3.1.7-1~deb12u2, finds no gem that a Debian package brought.
setup_install() {
	local bundler
	apt-get update || return
	bundler=$(apt-cache show --no-all-versions ruby-bundler | sed -n 's/^Version: \([0-9.]*\).*/\1/p')
	DEBIAN_FRONTEND=noninteractive env ${bundler:+"BUNDLER_VERSION=$bundler"} \
		apt-get install -y --no-install-recommends "$@"
}

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
	if ! setup_install "${missing[@]}" >"$setup_log" 2>&1 </dev/null; then
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

# setup_tests FOLDER: the names of its tests.
setup_tests() {
	printf 'include Makefile\nsetup-print:\n\t@echo $(TESTS)\n' | make -s --no-print-directory -C "$root/$1" -f - setup-print |
		tr ' ' '\n'
}

# setup_check FOLDER TEST...: builds and runs them, as many side by side as there are cores: most of them wait for
# deadlines, and each starts what it needs by itself. A failure shows in the logs, which setup_sum reads.
setup_check() {
	local folder=$root/$1
	shift
	find "$folder/tests" \( -name '*.trs' -o -name '*.log' \) -delete 2>/dev/null
	rm -rf "$folder/sanitizer" && mkdir -p "$folder/sanitizer"
	# Not every leak reaches criterion's exit status, and criterion 2.4 has one of its own; so the reports alone decide.
	(
		export LSAN_OPTIONS=exitcode=0
		export ASAN_OPTIONS=log_path=$folder/sanitizer/asan:detect_leaks=1
		export UBSAN_OPTIONS=log_path=$folder/sanitizer/ubsan:print_stacktrace=1
		make -C "$folder" -j"$(nproc)" --no-print-directory all check TESTS= >"$folder/check-build.log" 2>&1 </dev/null || {
			tail -n 40 "$folder/check-build.log" >&2
			exit 1
		}
		make -k -C "$folder" -j"$(nproc)" --no-print-directory check TESTS="$*" 2>&1 </dev/null
	) | grep --line-buffered -E '^(PASS|FAIL|SKIP|XFAIL|XPASS|ERROR): |\*\*\*'
	[ "${PIPESTATUS[0]}" -eq 0 ] || true
	[ -f "$folder/slated" ]
}

# What one test says of its cases, as "PASSED FAILED": criterion's synthesis, "N passed, N failed", or TAP's totals.
setup_count() {
	sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
		/Synthesis: Tested: / {
			line = $0
			gsub(/[^0-9|]/, "", line)
			split(line, n, "|")
			passed = n[2]; failed = n[3]; found = 1
		}
		/^[0-9]+ passed, [0-9]+ failed$/ { passed = $1; failed = $3; found = 1 }
		/^# pass [0-9]+$/ { passed = $3; found = 1 }
		/^# fail [0-9]+$/ { failed = $3 }
		END { if (found) print passed + 0, failed + 0 }'
}

# setup_is_criterions REPORT: whether all that it tells of is memory that libcriterion itself allocated and forgot.
setup_is_criterions() {
	awk '
		/ERROR: / && !/LeakSanitizer/ || /runtime error/ { other = 1 }
		/ leak of / { leaks++ }
		/^ *#1 .*\/libcriterion\.so/ { own++ }
		END { exit other || leaks == 0 || leaks != own }' "$1"
}

# setup_sum FOLDER TEST...: shows the logs of those that failed or were skipped; sets passed, failed and skipped.
setup_sum() {
	local folder=$root/$1 test result counts
	passed=0 failed=0 skipped=0
	shift
	for test in "$@"; do
		result=$(sed -n 's/^:global-test-result: //p' "$folder/$test.trs" 2>/dev/null)
		counts=
		[ -f "$folder/$test.log" ] && counts=$(setup_count "$folder/$test.log")
		case $result in
		PASS) [ -n "$counts" ] || counts="1 0" ;;
		SKIP)
			echo "skipped: $test: $(head -n 1 "$folder/$test.log")"
			skipped=$((skipped + 1))
			counts="0 0"
			;;
		*)
			echo "--- $test: ${result:-did not run}"
			tail -n 60 "$folder/$test.log" 2>/dev/null
			case $counts in
			"" | *" 0") counts="${counts% *} 1" ;;
			esac
			[ "${counts% *}" ] && [ "$counts" != " 1" ] || counts="0 1"
			;;
		esac
		passed=$((passed + ${counts% *}))
		failed=$((failed + ${counts#* }))
	done
	local report
	for report in "$folder"/sanitizer/*; do
		[ -f "$report" ] && ! setup_is_criterions "$report" || continue
		echo "--- ${report#"$root"/}"
		head -n 60 "$report"
		failed=$((failed + 1))
	done
}

# Modules that judge webhooks, mails and pages. Without them their tests are skipped, and say so.
setup_modules() {
	local modules=$root/tests/system/node_modules
	if [ -d "$modules/standardwebhooks" ] && [ -d "$modules/cloudevents" ] && [ -d "$modules/smtp-server" ] &&
		[ -d "$modules/mailparser" ] && [ -d "$modules/axe-core" ] &&
		[ -d "$root/tools/holidays/node_modules/date-holidays" ]; then
		return 0
	fi
	if ! command -v npm >/dev/null || ! timeout 180 "$root/tests/system/install-modules" >/dev/null 2>&1 </dev/null; then
		echo "modules: npm could not install them, so the tests that need them are skipped"
	fi
}
