#!/bin/sh
# Writes the files named (below SRCDIR) as C source to standard output: embed.sh SRCDIR FILE...
set -eu
srcdir=$1
shift
echo '/* Made by web/embed.sh. */'
echo '#include "slated/web.h"'
echo
echo 'const struct web_file web_files[] = {'
for file in "$@"; do
	case $file in
	*.html) type='text/html; charset=utf-8' ;;
	*.js) type='text/javascript; charset=utf-8' ;;
	*.css) type='text/css; charset=utf-8' ;;
	*.svg) type='image/svg+xml' ;;
	*)
		echo "embed.sh: $file: of what type?" >&2
		exit 1
		;;
	esac
	tag=$(sha256sum "$srcdir/$file" | cut -c 1-32)
	printf '\t{"%s", "%s", "\\"%s\\"",\n' "$(basename "$file")" "$type" "$tag"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/??/?\\?/g' -e 's/^/\t "/' -e 's/$/\\n"/' "$srcdir/$file"
	printf '\t},\n'
done
echo '};'
echo
echo 'const size_t n_web_files = sizeof(web_files) / sizeof(web_files[0]);'
