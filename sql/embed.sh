#!/bin/sh
# Writes the migrations named (below SRCDIR, in their order) as C source to standard output: embed.sh SRCDIR FILE...
set -eu
srcdir=$1
shift
echo '/* Made by sql/embed.sh. */'
echo '#include "migrate.h"'
echo
echo 'const struct migration migrations[] = {'
for file in "$@"; do
	name=$(basename "$file" .sql)
	number=$(expr "$name" : '0*\([1-9][0-9]*\)_')
	printf '\t{%s, "%s",\n' "$number" "$name"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/??/?\\?/g' -e 's/^/\t "/' -e 's/$/\\n"/' "$srcdir/$file"
	printf '\t},\n'
done
echo '};'
echo
echo 'const size_t n_migrations = sizeof(migrations) / sizeof(migrations[0]);'
