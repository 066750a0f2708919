# Cases of SQL tests, sourced after pg.sh. Each prints "ok NAME" or "FAILED NAME" with what was expected and found.
n_passed=0
n_failed=0

# `sql [-U ROLE] < STATEMENTS`: rows as "a|b", stops at the first error, errors on standard error with their hints.
sql() {
	psql -XAtq -v ON_ERROR_STOP=1 "$@"
}

# same NAME EXPECTED FOUND
same() {
	if [ "$2" = "$3" ]; then
		n_passed=$((n_passed + 1))
		printf 'ok %s\n' "$1"
	else
		n_failed=$((n_failed + 1))
		printf 'FAILED %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
	fi
}

# expect NAME EXPECTED STATEMENTS [psql's options]: what the statements print.
expect() {
	case_name=$1 case_expected=$2 case_statements=$3
	shift 3
	same "$case_name" "$case_expected" "$(printf '%s\n' "$case_statements" | sql "$@" 2>&1)"
}

# refused NAME PATTERN STATEMENTS [psql's options]: the error and its hint, on one line, match the shell pattern.
refused() {
	case_name=$1 case_expected=$2 case_statements=$3
	shift 3
	case_found=$(printf '%s\n' "$case_statements" | sql "$@" 2>&1 >"$PG_DIR/out") && case_found="accepted"
	case_found=$(printf '%s\n' "$case_found" | grep -v -e '^CONTEXT' -e '^PL/pgSQL' | tr '\n' ' ')
	# shellcheck disable=SC2254
	case $case_found in
	$case_expected) same "$case_name" "" "" ;;
	*) same "$case_name" "$case_expected" "$case_found" ;;
	esac
}

cases_end() {
	echo "$n_passed passed, $n_failed failed"
	[ "$n_failed" -eq 0 ] && [ "$n_passed" -gt 0 ]
	exit
}
