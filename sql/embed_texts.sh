#!/bin/sh
# Writes the adapters' files named (below SRCDIR) as C source to standard output: embed_texts.sh SRCDIR FILE...
set -eu
srcdir=$1
shift
echo '/* Made by sql/embed_texts.sh. */'
echo '#include "adapter_sql.h"'
echo
echo 'const struct adapter_text adapter_texts[] = {'
for file in "$@"; do
	printf '\t{"%s",\n' "$(basename "$file" .sql)"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/??/?\\?/g' -e 's/^/\t "/' -e 's/$/\\n"/' "$srcdir/$file"
	printf '\t},\n'
done
echo '};'
echo
echo 'const size_t n_adapter_texts = sizeof(adapter_texts) / sizeof(adapter_texts[0]);'
