# Packages. tools/deb builds those for Debian.
EXTRA_DIST += debian packaging/slated.spec tools/deb
