#!/bin/sh
# rootfs.sh BINARY DIR: the file system of the image.
set -eu
binary=$1 root=$2
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp" "$root/var/lib/firesteel"
chmod 1777 "$root/tmp" "$root/var/lib/firesteel"
cp "$binary" "$root/usr/bin/firesteel"
# Every library, and the loader, at the path the binary asks for.
ldd "$binary" | grep -o '/[^ )]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
printf 'firesteel:x:65532:65532:firesteel:/tmp:/sbin/nologin\n' > "$root/etc/passwd"
printf 'firesteel:x:65532:\n' > "$root/etc/group"
